package engine

import (
	"cmp"
	"math"
	"strings"
)

// scoreRun is one comparable entry of a list of scores: a run of rank rules,
// or one sorting rule.
type scoreRun struct {
	kind  RuleKind // RuleWords for a run of ranks
	score float64
	rule  *RuleScore
}

func runs(scores []RuleScore, weight float64) []scoreRun {
	var out []scoreRun
	rank, most, open := 1.0, 1.0, false
	flush := func() {
		if open {
			out = append(out, scoreRun{kind: RuleWords, score: rank / most * weight})
		}
		rank, most, open = 1, 1, false
	}
	for i := range scores {
		s := &scores[i]
		switch {
		case s.ranks():
			rank, most = (rank-1)*float64(s.Max)+float64(s.Rank), most*float64(s.Max)
			open = true
		case s.Kind == RuleVector:
			flush()
			out = append(out, scoreRun{kind: RuleVector, score: s.Local() * weight})
		default:
			flush()
			out = append(out, scoreRun{kind: s.Kind, rule: s})
		}
	}
	flush()
	return out
}

// CompareScores says which of two hits of different queries comes first, each
// score times the weight of its query: negative when it is a. Where the lists
// cannot be compared rule by rule, the longer rest wins, then the weighted
// global score.
func CompareScores(a []RuleScore, weightA float64, b []RuleScore, weightB float64) int {
	ra, rb := runs(a, weightA), runs(b, weightB)
	for i := 0; ; i++ {
		switch {
		case i == len(ra) && i == len(rb):
			return 0
		case i == len(ra):
			return 1
		case i == len(rb):
			return -1
		}
		c, comparable := compareRuns(&ra[i], &rb[i])
		if !comparable {
			if d := cmp.Compare(len(rb)-i, len(ra)-i); d != 0 {
				return d
			}
			return compareFloat(globalScore(a)*weightA, globalScore(b)*weightB)
		}
		if c != 0 {
			return c
		}
	}
}

// compareHybrid compares the scores of a vector and a keyword hit, each score
// weighted: positive when a is better. Any score beats a sort value, but zero.
func compareHybrid(a []RuleScore, weightA float64, b []RuleScore, weightB float64) int {
	ra, rb := runs(a, weightA), runs(b, weightB)
	for i := 0; ; i++ {
		switch {
		case i == len(ra) && i == len(rb):
			return 0
		case i == len(ra):
			return -1
		case i == len(rb):
			return 1
		}
		c, comparable := compareRuns(&ra[i], &rb[i])
		if !comparable {
			isScore := ra[i].rule == nil
			zero := isScore && ra[i].score == 0 || !isScore && rb[i].score == 0
			if isScore != zero {
				return 1
			}
			return -1
		}
		if c != 0 {
			return -c
		}
	}
}

// compareFloat puts the larger first and takes neighbours for equal.
func compareFloat(a, b float64) int {
	if math.Abs(a-b) <= 2.220446049250313e-16 {
		return 0
	}
	return cmp.Compare(b, a)
}

func compareRuns(a, b *scoreRun) (int, bool) {
	rankA, rankB := a.kind == RuleWords || a.kind == RuleVector, b.kind == RuleWords || b.kind == RuleVector
	switch {
	case rankA && rankB:
		return compareFloat(a.score, b.score), true
	case rankA != rankB || a.kind != b.kind || a.rule.Asc != b.rule.Asc:
		return 0, false
	case a.kind == RuleSort:
		return CompareSortValues(a.rule.Value, b.rule.Value, a.rule.Asc), true
	}
	switch {
	case a.rule.Geo == nil && b.rule.Geo == nil:
		return 0, true
	case a.rule.Geo == nil:
		return 1, true
	case b.rule.Geo == nil:
		return -1, true
	}
	// A real server puts the farther hit first here whatever the direction.
	return compareFloat(a.rule.Distance, b.rule.Distance), true
}

// CompareSortValues orders two sort values as a sort rule does: missing ones
// last, numbers before strings in both directions.
func CompareSortValues(a, b any, asc bool) int {
	kind := func(v any) int {
		switch v.(type) {
		case float64:
			return 0
		case string:
			return 1
		}
		return 2
	}
	if d := cmp.Compare(kind(a), kind(b)); d != 0 {
		return d
	}
	d := 0
	switch x := a.(type) {
	case float64:
		d = cmp.Compare(x, b.(float64))
	case string:
		d = strings.Compare(x, b.(string))
	}
	if !asc {
		d = -d
	}
	return d
}
