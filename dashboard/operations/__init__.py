"""Parts of the page SAP operations."""
