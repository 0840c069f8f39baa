"""What a visitor reads where the script of a page fails: a sentence and a number, under which the log has the rest.

st.App(script, on_script_error=show_script_error)
"""

import logging
import secrets

import streamlit as st

from core.runs import StoreError
from core.system.files import explain_refusal
from core.system.paths import data_dir
from ui.shared.formatting import escape_markdown

SORRY = "Something went wrong here, and it is no fault of yours."
"""How the sentence begins where a visitor cannot mend what happened."""

_LOGGER = logging.getLogger(__name__)


def show_script_error(error: Exception) -> bool:
    """Show a sentence in place of what the page would have shown, and write all about the error to the log.

    A database that cannot be used, or a disk that is full or read-only, is told as it is, since whoever reads that can
    mend it, with its place in Duet's own folder.

    Of every other error a visitor reads neither the message nor the traceback, which name paths and code.
    """
    number = secrets.token_hex(3)
    _LOGGER.error("Error %s of a page", number, exc_info=error)
    if isinstance(error, StoreError):
        sentence = escape_markdown(str(error).replace(f"{data_dir()}/", ""))
    elif refusal := explain_refusal(error):
        sentence = f"This could not be kept: {refusal}"
    else:
        sentence = (
            f"{SORRY} Reload the page. If it happens again, tell whoever runs Duet the number **{number}**: "
            "the server's log says under it what has happened."
        )
    st.error(sentence, icon=":material/error:")
    return True
