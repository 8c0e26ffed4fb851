"""The picture at the top of the README, put together from figures of `docs/figures`.

python docs/make_figures.py
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FIGURES = Path(__file__).parent / "figures"
PANEL, GAP, LINE = 256, 8, 26
# Where the panels of `driving_sim_epochs.jpg` begin: left, top.
EPOCHS = {0: (8, 34), 3: (272, 34), 29: (800, 614)}


def compose() -> Image.Image:
    """Roads after three epochs beside each other, above faces."""
    epochs, faces = (Image.open(FIGURES / name) for name in ("driving_sim_epochs.jpg", "faces.jpg"))
    width = len(EPOCHS) * PANEL + (len(EPOCHS) - 1) * GAP
    faces = faces.resize((width, round(width * faces.height / faces.width)), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", (width, 2 * LINE + PANEL + GAP + faces.height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for place, (epoch, (left, top)) in enumerate(EPOCHS.items()):
        x = place * (PANEL + GAP)
        draw.text((x, 2), f"driving frames, epoch {epoch}", "black", font)
        sheet.paste(epochs.crop((left, top, left + PANEL, top + PANEL)), (x, LINE))
    draw.text((0, LINE + PANEL + GAP + 2), "faces, preset stable, 6,000 steps", "black", font)
    sheet.paste(faces, (0, 2 * LINE + PANEL + GAP))
    return sheet


if __name__ == "__main__":
    compose().save(FIGURES / "roads_and_faces.jpg", quality=88)
