"""The picture of `bench.studies.one_gib`: a panel for each question, a bar for each way."""

from fastnn.picture import COLORS, new_figure, plain, save

GREY = "#c3c8cf"


def draw(report, path):
    """Sizes that fit, with images a second where they were measured."""
    answers = report["answers"].values()
    rows = max(len(answer["lines"]) for answer in answers) + 1
    figure = new_figure(1.5 + 5.2 * len(answers), 1.2 + 0.34 * rows)
    panels = figure.subplots(1, len(answers), squeeze=False)[0]
    for axes, answer in zip(panels, answers, strict=True):
        _panel(axes, answer)
    figure.suptitle(f"The largest that {report['limit'] / 2**30:g} GiB of process memory holds: "
                    f"{report['machine']['processor']}, {report['threads']} threads\n"
                    "grey: by a line through two small sizes", fontsize=10)
    save(figure, path)


def _panel(axes, answer):
    images = {row["way"]: row["images"] for row in answer["turns"]}
    sizes = answer["lines"] | answer["sizes"]
    names = sorted(sizes, key=lambda name: -sizes[name])
    for place, name in enumerate(names):
        color = GREY if name not in images else COLORS[name != "fastnn"]
        axes.barh(place, sizes[name], color=color, height=0.7, zorder=2)
        speed = f", {images[name]:.3g} images/s" if name in images else ""
        axes.annotate(f"{sizes[name]}{speed}", (sizes[name], place), (4, -3), fontsize=8,
                      textcoords="offset points")
    axes.set_yticks(range(len(names)), [name.replace(", ", "\n", 1) for name in names],
                    fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.35)
    axes.set_title(answer["what"], fontsize=10)
    plain(axes)
    axes.grid(axis="y", visible=False)
