"""From labelled items to a calibration: run the route, write down signals and losses, fit, certify, report."""
