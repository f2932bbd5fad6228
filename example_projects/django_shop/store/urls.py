"""The shop's addresses."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import path

from example_projects.django_shop.store import views
from example_projects.django_shop.store.forms import LogInForm

LOG_IN = auth.LoginView.as_view(template_name="store/log_in.html", authentication_form=LogInForm)
MAIL_SENT = auth.PasswordResetDoneView.as_view(template_name="store/password_mail_sent.html")

urlpatterns = [
    path("", views.home, name="home"),
    path("tea/<slug:slug>/", views.product, name="product"),
    path("tea/<slug:slug>/order/", views.order, name="order"),
    path("sign-up/", views.sign_up, name="sign-up"),
    path("log-in/", LOG_IN, name="log-in"),
    path("log-out/", auth.LogoutView.as_view(), name="log-out"),
    path("account/", views.account, name="account"),
    path("account/mail/", views.account_mail, name="account-mail"),
    path("account/address/", views.address, name="address"),
    path("password/", views.ForgottenPassword.as_view(), name="forgotten-password"),
    path("password/sent/", MAIL_SENT, name="password-mail-sent"),
    path("password/<uidb64>/<token>/", views.NewPassword.as_view(), name="new-password"),
]
