"""Reads a sealed log over HTTP with tlog-scales, which is of another project, and checks it.

    pip install -r capstone/e2e/python/requirements.txt
    python read_log.py URL FILE [WITNESS FILE ...]

FILE has the log's public key, WITNESS FILE that of a witness. Each key must have signed the
checkpoint. Each leaf must have the hash in its tile. One proof for each tile leads from all hashes
of the tile to the signed root. The first half of the tree must be a prefix of it.
"""

import pathlib
import sys

from tlog_scales import backend, signing, tiles
from tlog_scales.reader import TilesReader


def check(url, keys):
    """Returns the checkpoint of the log, whose every leaf it has read and checked."""
    log = TilesReader(backend.make_backend(url))
    last = log.get_checkpoint()
    for key in keys:
        last.verify(signing.Vkey.from_string(pathlib.Path(key).read_text().strip()))
    if log.calculate_root_hash() != last.root_hash:
        raise ValueError("the tiles do not have the signed root")
    for index in range(last.size):
        leaf = tiles.leaf_hash(log.get_entry(index))
        if leaf != log.mth(index, index + 1):
            raise ValueError(f"leaf {index} has another hash than its tile")
        if index % 256 == 0:  # the proof has the hashes of all other leaves of the tile
            log.get_inclusion_proof(index, last.size).check(leaf, last.root_hash)
    half = last.size // 2
    growth = log.get_consistency_proof(half, last.size)
    growth.check(log.mth(0, half), last.root_hash)
    return last


if __name__ == "__main__":
    checked = check(sys.argv[1], sys.argv[2:])
    print(f"tlog-scales: {checked.size} leaves of {checked.origin}")
