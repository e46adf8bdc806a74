"""Taking in data sets that people bring: a zip or a folder of one folder per class, or .npz arrays.

Everything is checked before it is believed, nothing is unpickled, no archive decides where anything is
written. `sources` opens and lists, `decoding` reads one image, `packing` reads slices and puts them together;
`search.training.stored` reads what comes of it.
"""
