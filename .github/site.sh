#!/usr/bin/env bash
# Make the website in a new folder: a copy of the project, the explorer of the committed agent, and an index page.
set -eu
site=$1
mkdir "$site"
git archive HEAD | tar -x -C "$site"
python -m experiments.look experiments/results/agent --load 2 --output "$site/decisions.html"
cp .github/index.html "$site/index.html"
