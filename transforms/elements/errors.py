"""Why a track could not be audited: one exception class per cause.

The class name becomes ``error_class`` in the errors output and the message its
``message``, so both are written for the person who has to fix the track.
"""


class AuditError(ValueError):
    """A track can't be audited; the job goes on and the track becomes an error row."""


class ManifestRowError(AuditError):
    """The manifest row itself is unusable: malformed, without URI, or of a wrong type.

    Attributes:
      line: it stands on; 0 where nobody knows.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line

    @classmethod
    def at(cls, line: int, message: str) -> "ManifestRowError":
        """An error whose message begins with its line."""
        return cls(f"line {line}: {message}", line)


class DuplicateTrackError(AuditError):
    """An earlier row of the manifest has the same ``track_id``."""


class AudioNotFoundError(AuditError):
    """Nothing is stored under the URI."""


class AudioForbiddenError(AuditError):
    """The URI exists but may not be read."""


class AudioUnreachableError(AuditError):
    """The storage did not deliver the bytes."""


class EmptyAudioError(AuditError):
    """The file has no bytes, or decodes to no samples."""


class NotAudioError(AuditError):
    """No decoder recognises the bytes, or they hold no sound track."""


class DamagedAudioError(AuditError):
    """The container opens, but no full window of it decodes."""


class TooShortError(AuditError):
    """Less sound than one segment."""


class SilentAudioError(AuditError):
    """Every window that was read is digital silence."""


class NonFiniteAudioError(AuditError):
    """Samples are NaN or infinite."""


class DecodeLimitError(AuditError):
    """Decoding would exceed a limit on time, memory or length."""


class DecoderCrashError(AuditError):
    """The process that decodes died of the file; the next one went on."""


class CodecError(AuditError):
    """Re-encoding a segment failed."""


class ModelError(AuditError):
    """The detector failed on a track that had decoded."""
