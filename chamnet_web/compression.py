"""What is compressed on its way."""

from __future__ import annotations

import re

from django_http_compression.middleware import HttpCompressionMiddleware

from search.columns import COLUMNS_TYPE


class CompressionMiddleware(HttpCompressionMiddleware):
    """Texts of all kinds, and the candidates' columns: they are numbers, a third as long when compressed."""

    content_type_re = re.compile(
        f"{HttpCompressionMiddleware.content_type_re.pattern}|^{re.escape(COLUMNS_TYPE)}$",
        HttpCompressionMiddleware.content_type_re.flags,
    )
