"""What was decided and why: stored off the answer's way, queried, checked and labelled later."""

from visionrouter.ledger.audit import Audit
from visionrouter.ledger.labels import Label
from visionrouter.ledger.reader import Filter, LedgerReader, Record
from visionrouter.ledger.sink import Ledger, LedgerStats

__all__ = ["Audit", "Filter", "Label", "Ledger", "LedgerReader", "LedgerStats", "Record"]
