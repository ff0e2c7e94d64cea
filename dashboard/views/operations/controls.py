"""The controls of the page SAP operations."""

from dashboard.widgets.fields import Fields

pick = Fields("sap").pick
