"""From results to figures.

style (colours, marks, sizes), formats (how numbers are written), selection (the arms and runs that a figure shows) and
toolkit (axes, rows, marks, the finished Figure) are what figures are made of. generic holds the figures that fit any
study. svg makes matplotlib's drawings small. figures holds the finished figure as a value and as files.

An article may bring figures of its own: a file figures.py in its folder, with one function

    def draw(results: Results) -> list[Figure]

`results` is results.json. The first figure stands for the study: its title and its arms are in the preview of links.
`drawing.draw` loads the file by its path, so nothing here knows any one article, and calls `draw` in the project's
style. A figure is made by `toolkit.finish`, and its name is that of its files and of its prose, why/<name>.html. An
article without figures.py gets `generic.draw`. What the page's evidence carries only for figures, such as the training
loss by epoch, a figure names in `measures`; else 'make verify' cannot draw it again. When a Python file beside
figures.py changes, all figures are drawn again, so it may import from there. report/mse_tanh/figures.py is an example.
"""
