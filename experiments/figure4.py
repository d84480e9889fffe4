"""Redraw Figure 4, average reward while training, from the committed CSVs."""

from plotting import RESULTS, by_seed, draw, finish, interval, plt, read

rows = read("headline")
figure, axes = plt.subplots(figsize=(8, 4.6))
draw(axes, by_seed(rows, "training", "flows", "reward"))
at_load_1 = [row for row in rows if row["load"] == 1.0]
for name, style in (("round robin, level 2", ":"), ("one-step greedy (knows the model)", "--")):
    _, values = by_seed(at_load_1, "frozen", "load", "reward")[name]
    axes.axhline(interval(values[:, 0])[0], color="0.4", ls=style, label=name)
axes.set(xlabel="thousand flows seen while training (load 1)", ylabel="mean reward per decision", ylim=(-1.4, 0.2))
finish(figure, axes, RESULTS / "figure4.png")
