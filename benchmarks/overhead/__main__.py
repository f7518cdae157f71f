"""Both overhead benchmarks, one after the other."""

from visionrouter.benchmarks.overhead import codecs, router

if __name__ == "__main__":
    router.main([])
    print()
    codecs.main([])
