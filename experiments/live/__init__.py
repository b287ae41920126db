"""Networks small enough to run in the page: trained weights → copies of few bits a weight, measured against them.

`strokes` turns what is drawn into an image as the networks know it, `shapes` has what is ready to draw, `rounding`
rounds a layer, `packing` writes it as text, `copies` makes and reads the copies, `export` is the stage that writes
live.json. All need NumPy alone.
"""
