"""Forms by which people become contacts (poststack-api §4.14)."""

from typing import Literal

from poststack.types.common import NotRequired, TypedDict

__all__ = [
    "CreateSignupForm",
    "SignedUp",
    "SignupForm",
    "SignupFormAnswer",
    "SignupFormField",
    "SignupFormFieldType",
    "SubmitSignupForm",
    "UpdateSignupForm",
]

SignupFormFieldType = Literal["email", "text", "select", "checkbox"]


class SignupFormField(TypedDict):
    """One field. `options` are those of a `select`."""

    name: str
    type: SignupFormFieldType
    label: str
    required: NotRequired[bool]
    placeholder: NotRequired[str]
    options: NotRequired[list[str]]


class SignupForm(TypedDict):
    """A form. `publicId` is the `sf_…` id that every method takes; the other ids are internal."""

    id: int
    publicId: str
    name: str
    segmentId: NotRequired[int | None]
    topicId: NotRequired[int | None]
    fields: list[SignupFormField]
    successMessage: NotRequired[str | None]
    redirectUrl: NotRequired[str | None]
    active: bool
    submissionCount: int
    createdAt: str
    updatedAt: str


class SignupFormAnswer(TypedDict):
    """One form."""

    signupForm: SignupForm


class CreateSignupForm(TypedDict):
    """A new form of 1 to 10 fields."""

    name: str
    fields: list[SignupFormField]
    segment_id: NotRequired[str]
    """The `seg_…` id of a segment that people are added to."""
    topic_id: NotRequired[str]
    """The `top_…` id of a topic that people subscribe to."""
    success_message: NotRequired[str]
    redirect_url: NotRequired[str]


class UpdateSignupForm(TypedDict, total=False):
    """What to change; everything else stays. `None` takes segment, topic or redirection away."""

    name: str
    fields: list[SignupFormField]
    segment_id: str | None
    topic_id: str | None
    success_message: str
    redirect_url: str | None
    active: bool


class SubmitSignupForm(TypedDict):
    """What somebody filled in. Contact properties go in under their own names: `submit` takes any mapping."""

    email: str
    first_name: NotRequired[str]
    last_name: NotRequired[str]


class SignedUp(TypedDict):
    """What to tell the person."""

    success: bool
    message: NotRequired[str]
    redirect_url: NotRequired[str | None]
