"""What was decided and why: stored off the answer's way, queried, checked and labelled later."""

from visionrouter.ledger.audit import Audit
from visionrouter.ledger.audited import AuditedAnswer, Audits, audits
from visionrouter.ledger.labels import Label
from visionrouter.ledger.reader import Filter, LedgerReader, Record
from visionrouter.ledger.sink import Ledger, LedgerStats

__all__ = [
    "Audit", "AuditedAnswer", "Audits", "Filter", "Label", "Ledger", "LedgerReader", "LedgerStats", "Record", "audits",
]  # fmt: skip
