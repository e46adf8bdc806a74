"""The REST API of spaces, data sets, predictors, searches and models, a module a subject.

Whatever is made, is made of the same forms and services as on the pages: what they say, this says.
"""
