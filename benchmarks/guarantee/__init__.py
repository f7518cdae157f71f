"""Does a certificate keep its word? Calibration drawn again and again from populations whose true risk is known."""
