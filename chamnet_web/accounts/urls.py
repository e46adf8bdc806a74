from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from chamnet_web.accounts import team_views, token_views, views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-in/code/", views.second_step, name="second-factor"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/", views.account, name="account"),
    path("account/password/", views.PasswordChange.as_view(), name="password-change"),
    path("account/second-factor/", views.factor_new, name="factor-new"),
    path("account/second-factor/remove/", views.factor_remove, name="factor-remove"),
    path("account/sign-out-everywhere/", views.sign_out_everywhere, name="sign-out-everywhere"),
    path("account/tokens/", token_views.tokens, name="account-tokens"),
    path("account/tokens/<int:token_id>/revoke/", token_views.token_revoke, name="account-token-revoke"),
    path("join/<str:secret>/", team_views.join, name="join"),
    path("team/", team_views.team_page, name="team"),
    path("team/audit.<str:ending>", team_views.team_audit, name="team-audit"),
    path("team/invite/", team_views.team_invite, name="team-invite"),
    path("team/rename/", team_views.team_rename, name="team-rename"),
    path("team/members/<int:membership_id>/role/", team_views.team_role, name="team-role"),
    path("team/members/<int:membership_id>/remove/", team_views.team_remove, name="team-remove"),
    path(
        "team/invitations/<int:invitation_id>/revoke/", team_views.invitation_revoke, name="invitation-revoke"
    ),
    path("teams/new/", team_views.team_new, name="team-new"),
    path("teams/<int:team_id>/switch/", team_views.team_switch, name="team-switch"),
    path("teams/<int:team_id>/leave/", team_views.team_leave, name="team-leave"),
]
