"""Taking in data sets that people bring: a zip or a folder of one folder per class, or .npz arrays.

Everything is checked before it is believed, nothing is unpickled, no archive decides where anything is
written. `sources` opens, `listing` says of which class each file is, `decoding` reads one image, `slices`
reads them all, `packing` puts them together; `search.training.stored` reads what comes of it. A folder may
hold millions of files: its listing stays in memory, images never do.
"""
