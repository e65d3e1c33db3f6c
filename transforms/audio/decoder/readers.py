"""Who reads a file, in the order in which they are asked."""

from artifactnet.transforms.audio.chained_reader import ChainedReader
from artifactnet.transforms.audio.mpeg_reader import MpegReader
from artifactnet.transforms.audio.pyav_reader import PyAVReader
from artifactnet.transforms.audio.sequential_reader import SequentialReader
from artifactnet.transforms.audio.soundfile_reader import SoundfileReader

READERS = (ChainedReader, MpegReader, SoundfileReader, PyAVReader, SequentialReader)
