from __future__ import annotations

from django.urls import path

from chamnet_web.guide import views

urlpatterns = [
    path("help/", views.help_index, name="help"),
    path("help/terms/", views.help_terms, name="help-terms"),
    path("help/<slug:slug>/", views.help_chapter, name="help-chapter"),
]
