from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from chamnet_web.accounts.views import PasswordChange, SignIn

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/password/", PasswordChange.as_view(), name="password-change"),
]
