"""What pages share: the frame with the list of pages, and components that Streamlit does not have.

Name no file in here like a module of the standard library: while the main script runs,
this folder comes first on the import path.
"""
