"""The overhead benchmarks, one after the other."""

from visionrouter.benchmarks.overhead import codecs, imports, router

if __name__ == "__main__":
    router.main([])
    print()
    codecs.main([])
    print()
    imports.main([])
