#!/usr/bin/env python3
"""Each question of docs/metrics.md, put to scrapes of a real run (tests/e2e/test_questions.py --record), gives what the
run's server had in its book."""

import glob
import json
import os
import re
import shutil
import sys
import unittest

import questions

SCRAPES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scrapes")
SKIPPED = 77


def recorded():
    scrapes = []
    for path in sorted(glob.glob(os.path.join(SCRAPES, "*.prom"))):
        with open(path, encoding="utf-8") as file:
            scrapes.append(file.read())
    with open(os.path.join(SCRAPES, "answers.json"), encoding="utf-8") as file:
        return scrapes, json.load(file)


class QuestionsTest(unittest.TestCase):
    def setUp(self):
        self.scrapes, self.answers = recorded()

    def test_every_question_has_an_answer(self):
        self.assertGreaterEqual(len(questions.questions()), 10)
        self.assertEqual(set(questions.questions()), set(self.answers))
        self.assertGreaterEqual(len(self.scrapes), 2)

    def test_every_metric_asked_for_is_there(self):
        there = {re.match(r"\w+", series)[0] for series in questions.series_of(self.scrapes)}
        for title, query in questions.questions().items():
            for name in re.findall(r"\b(?:llm|wiretally)_\w+", query):
                self.assertIn(name, there, title)

    def test_answers(self):
        self.assertEqual(questions.ask(self.scrapes, self.answers), "")

    def test_no_answer_fits_by_chance(self):
        """Each of them with one number changed is refused."""
        for title, samples in self.answers.items():
            labels, value = samples[0]
            with self.subTest(title):
                self.assertNotEqual(questions.ask(self.scrapes, {title: [[labels, value * 1.01 + 1e-9], *samples[1:]]}), "")


if __name__ == "__main__":
    if shutil.which("promtool") is None:
        print("SKIPPED: promtool not installed")
        sys.exit(SKIPPED)
    unittest.main()
