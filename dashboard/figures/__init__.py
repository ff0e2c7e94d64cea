"""Figures: probe results to Plotly; neither Streamlit nor torch."""
