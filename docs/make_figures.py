"""The picture at the top of the README, composed from figures of `docs/figures` without resampling.

python docs/make_figures.py
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FIGURES = Path(__file__).parent / "figures"
GAP, LABEL_HEIGHT = 8, 26
LAST_EPOCH = (800, 614, 1056, 870)  # its panel of 4x4 images in driving_sim_epochs.jpg: left, top, right, bottom


def compose() -> Image.Image:
    """Driving frames of the last epoch beside faces: 904x282 pixels."""
    panels = {
        "driving frames, 2,040 steps": Image.open(FIGURES / "driving_sim_epochs.jpg").crop(LAST_EPOCH),
        "faces, 6,000 steps": Image.open(FIGURES / "faces.jpg"),
    }
    width = sum(panel.width for panel in panels.values()) + GAP * (len(panels) - 1)
    sheet = Image.new("RGB", (width, LABEL_HEIGHT + max(panel.height for panel in panels.values())), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    left = 0
    for label, panel in panels.items():
        draw.text((left, 2), label, "black", font)
        sheet.paste(panel, (left, LABEL_HEIGHT))
        left += panel.width + GAP
    return sheet


if __name__ == "__main__":
    compose().save(FIGURES / "roads_and_faces.jpg", quality=90)
