package merge

import (
	"errors"
	"math"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

var errFederation = errors.New("a hit does not say which query found it")

// federation is the part of a merger that only federated searches need.
type federation struct {
	hits []federated // by hit
	info []byte      // what `_federation` becomes for the hit that is read next
}

// weighted is one entry of what hits of different queries are compared by: a run of rules that are ranks, as one
// score, or a similarity, both times the weight of the query; or what the hit is sorted by.
type weighted struct {
	score float64
	sort  int32 // in merger.slots; -1 for a score
}

// weigh makes the entries of a hit from its ranking rules.
func (m *merger) weigh(n int32) []weighted {
	h, f := &m.hits[n], &m.fed.hits[n]
	slots := m.slots[h.slots0:h.slots1]
	if len(slots) == 0 {
		return nil
	}
	runs := 0 // of ranks
	for i := range slots {
		if isRank(&slots[i]) && (i == 0 || !isRank(&slots[i-1])) {
			runs++
		}
	}
	var scores []float64
	if runs > 1 || h.semantic {
		scores = runScores(h.details)
	}
	var out []weighted
	run := 0
	for i := range slots {
		s := &slots[i]
		switch {
		case isRank(s) && i > 0 && isRank(&slots[i-1]):
		case isRank(s) && run < len(scores):
			out = append(out, weighted{score: scores[run] * f.query.Weight, sort: -1})
			run++
		case isRank(s): // the only one, which the node has told
			out = append(out, weighted{score: f.score, sort: -1})
		case s.rule == ruleVector:
			out = append(out, weighted{score: s.a * f.query.Weight, sort: -1})
		case s.rule != rulePin:
			out = append(out, weighted{sort: h.slots0 + int32(i)})
		}
	}
	return out
}

func isRank(s *slot) bool { return s.rule == ruleRank || s.rule == ruleSkipped }

// epsilon is up to how much two scores may differ and count as equal.
const epsilon = 0x1p-52

// compareWeighted tells which of two hits of different queries comes first, as a node does in a federated search;
// negative means a. Distances compare as they do there: the farther one comes first in both directions.
func (m *merger) compareWeighted(a, b int32) int {
	x, y := &m.fed.hits[a], &m.fed.hits[b]
	for i := 0; ; i++ {
		switch {
		case i == len(x.values) && i == len(y.values):
			return 0
		case i == len(x.values):
			return 1
		case i == len(y.values):
			return -1
		}
		c, comparable := m.compareEntries(x.values[i], y.values[i])
		if !comparable {
			if c := len(y.values) - len(x.values); c != 0 {
				return c // more rules are left there
			}
			return compareScores(x.score, y.score)
		}
		if c != 0 {
			return c
		}
	}
}

func compareScores(x, y float64) int {
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return 0
}

func (m *merger) compareEntries(x, y weighted) (c int, comparable bool) {
	if x.sort < 0 && y.sort < 0 {
		if math.Abs(x.score-y.score) <= epsilon {
			return 0, true
		}
		return compareScores(x.score, y.score), true
	}
	if x.sort < 0 || y.sort < 0 || m.slots[x.sort].rule != m.slots[y.sort].rule {
		return 0, false
	}
	a, b := &m.slots[x.sort], &m.slots[y.sort]
	if a.rule == ruleNear || a.rule == ruleFar {
		if a.class == b.class && math.Abs(a.a-b.a) <= epsilon {
			return 0, true
		}
		return compareValues(a, b, true), true
	}
	return compareSlots(a, b), true
}

// mergeWeighted joins lists of different queries. Each list has the order of its own; what is equal goes by the
// position of its query.
func (m *merger) mergeWeighted(lists [][]int32) []int32 {
	return mergeHeads(nil, lists, func(a, b int32) bool {
		if c := m.compareWeighted(a, b); c != 0 {
			return c < 0
		}
		return m.fed.hits[a].query.Position < m.fed.hits[b].query.Position
	})
}

// runScores computes, for each run of ranks between other rules, the score that a node gives it: the first rule
// decides, the next one within its step, and so on. How many steps a rule has is told for some, and follows from the
// number of words for others.
func runScores(details []byte) []float64 {
	var scores []float64
	var run []rankStep
	words := int64(1)
	end := func() {
		if len(run) > 0 {
			scores = append(scores, runScore(run))
			run = run[:0]
		}
	}
	var it rawjson.Members
	for it.Init(details); it.Next(); {
		key := string(it.Key)
		if key == "vectorSort" || strings.HasSuffix(key, ":asc") || strings.HasSuffix(key, ":desc") || strings.HasPrefix(key, "<hidden-rule-") {
			end()
			continue
		}
		get := func(name string) float64 {
			v, _ := rawjson.Get(it.Value, name)
			return number(v)
		}
		step := rankStep{score: get("score"), steps: 1}
		switch key {
		case "words":
			step.steps, words = get("maxMatchingWords"), int64(get("matchingWords"))
		case "typo":
			step.steps = get("maxTypoCount") + 1
		case "proximity":
			step.steps = float64(7*max(words-1, 0) + 1)
		case "wordPosition":
			step.steps = float64(10*max(words, 1) + 1)
		case "attributeRank", "attribute":
			step.steps = denominator(step.score)
		case "skipped":
			step.score = 0
		}
		run = append(run, step)
	}
	end()
	return scores
}

// rankStep is one rule of a run: its score, and how many steps it has.
type rankStep struct{ score, steps float64 }

func runScore(run []rankStep) float64 {
	score := run[len(run)-1].score
	for i := len(run) - 2; i >= 0; i-- {
		score = run[i].score - (1-score)/max(run[i].steps, 1)
	}
	return score
}

// denominator is the smallest number of steps that has a step at score.
func denominator(score float64) float64 {
	for n := 1.0; n <= 4096; n++ {
		if at := score * n; math.Abs(at-math.Round(at)) < 1e-9 {
			return n
		}
	}
	return 1
}
