"""Figures of directions: cosines of updates through inner steps, of whole displacements, and through training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.figures import marks, palette
from dashboard.figures.marks import Label

ROW = 30  # pixels for each learner


def through(curves: pd.DataFrame, x_title: str, y_title: str, random: float | None, dark: bool) -> go.Figure:
    """One line for each learner with the range of its seeds; controls thin, dotted, in the learner's colour.

    Args:
        curves: learner, title, control, x, mean, low, high; sorted by x.
        x_title: the horizontal axis.
        y_title: the vertical axis; cosines go from -1 to 1.
        random: twice the standard deviation of the cosine of random directions; None: values are no cosines.
        dark: colours for the dark background.
    """
    fig, labels = go.Figure(), []
    for (name, control), rows in curves.groupby(["learner", "control"], sort=False):
        title, own, x = str(rows.title.iloc[0]), marks.colour(str(name), dark), rows.x.to_numpy(float)
        if not control:
            marks.band(fig, x, rows.low.to_numpy(), rows.high.to_numpy(), own)
            labels.append(Label(float(x[-1]), float(rows["mean"].iloc[-1]), title, own))
        line = {"color": own, "dash": palette.style(str(name)).plotly_dash, "width": 2.4}
        fig.add_scatter(
            x=x,
            y=rows["mean"],
            mode="lines" if len(x) > 1 else "markers",
            line={"color": own, "dash": "1px,3px", "width": 1.4} if control else line,
            opacity=0.75 if control else 1.0,
            customdata=np.stack([rows.low, rows.high], -1),
            hovertemplate=(
                f"<b>{title}</b>{', untrained' if control else ''}<br>{x_title} %{{x}}: %{{y:.2f}}<br>seeds "
                "%{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>"
            ),
            showlegend=False,
        )
    marks.laid_out(fig, 430, right=marks.LABELS + 30)
    if random is not None:
        fig.add_hrect(-random, random, fillcolor=marks.soft(marks.grey(dark), 0.16), line_width=0, layer="below")
        for y, text in ((1.0, "the same direction"), (0.0, "random directions")):
            fig.add_hline(y, line={"color": marks.grey(dark), "width": 1, "dash": "dot"}, layer="below")
            fig.add_annotation(x=0, xref="paper", y=y, text=text, yshift=9, xanchor="left", showarrow=False)
            fig.layout.annotations[-1].font = {"color": marks.grey(dark), "size": 11}
    every = np.concatenate([curves.low, curves.high, curves["mean"]])
    every = every[np.isfinite(every)]
    low, high = (min(-0.25, float(every.min()) - 0.05), 1.1) if random is not None else marks.extent([every], False)
    ends = [float(curves.x.min()), float(curves.x.max())] if len(curves) else [0.0, 1.0]
    air = 0.015 * (ends[1] - ends[0] or 1.0)
    fig.update_xaxes(title_text=x_title, zeroline=False, range=[ends[0] - air, ends[1] + air])
    fig.update_yaxes(title_text=y_title, range=[low, high], zeroline=False)
    marks.label_ends(fig, labels, (low, high), log=False)
    return fig


def whole(rows: pd.DataFrame, references: Sequence[str], dark: bool) -> go.Figure:
    """One row for each learner, one panel for each reference: seeds small, their mean large, controls as ticks.

    Args:
        rows: learner, title, reference, control, mean, seeds (a list of numbers).
        references: the panels, in order.
        dark: colours for the dark background.
    """
    names = list(dict.fromkeys(rows.learner))
    height = {name: len(names) - i for i, name in enumerate(names)}
    titles = [reference.replace(" ", "<br>") for reference in references]  # panels are narrow on narrow screens
    fig = make_subplots(cols=len(references), shared_yaxes=True, horizontal_spacing=0.05, subplot_titles=titles)
    for column, reference in enumerate(references, start=1):
        place = {"row": 1, "col": column}
        fig.add_vline(0, line={"color": marks.grey(dark), "width": 1, "dash": "dot"}, **place)
        for row in rows[rows.reference == reference].itertuples():
            own, y = marks.colour(row.learner, dark), height[row.learner]
            if row.control:
                tick = {"symbol": "line-ns", "size": 15, "line": {"color": marks.grey(dark), "width": 2.5}}
                said = f"{row.title}, untrained: %{{x:.2f}}<extra></extra>"
                fig.add_scatter(x=[row.mean], y=[y], mode="markers", marker=tick, hovertemplate=said, **place)
                continue
            said = f"<b>{row.title}</b>: %{{x:.2f}}<extra></extra>"
            small = {"color": own, "size": 6, "opacity": 0.5}
            large = {"color": own, "size": 12, "symbol": palette.style(row.learner).marker, "line": {"color": own}}
            large["line"]["width"] = 2
            fig.add_scatter(
                x=row.seeds, y=[y] * len(row.seeds), mode="markers", marker=small, hovertemplate=said, **place
            )
            fig.add_scatter(x=[row.mean], y=[y], mode="markers", marker=large, hovertemplate=said, **place)
        fig.update_xaxes(title_text="cosine", range=[-0.55, 1.08], dtick=0.5, zeroline=False, **place)
    known = rows.drop_duplicates("learner").set_index("learner").title
    ticks = {"tickvals": list(height.values()), "ticktext": [known[name] for name in height]}
    fig.update_yaxes(range=[0.4, len(names) + 0.6], showgrid=False, zeroline=False, **ticks)
    fig.update_layout(showlegend=False, hovermode="closest", height=145 + ROW * len(names))
    fig.update_layout(margin={"l": 10, "r": 10, "t": 51, "b": 45})
    fig.update_yaxes(automargin=True)
    return fig
