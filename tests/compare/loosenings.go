package compare

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
)

var (
	hitTypo  = regexp.MustCompile(`^hits\[\d+\]\._rankingScoreDetails\.typo\.(maxTypoCount|score)$`)
	hitScore = regexp.MustCompile(`^hits\[\d+\]\._rankingScore$`)
	timeAt   = regexp.MustCompile(`^(results\[\d+\]\.)?processingTimeMs$`)
	uidAt    = regexp.MustCompile(`^(results\[\d+\]\.)?requestUid$`)
)

// Always are the loosenings between any two servers.
var Always = []Loosening{
	{"processing-time", always, func(path string, _, _ any) bool { return timeAt.MatchString(path) }},
	{"request-uid", always, func(path string, _, _ any) bool { return uidAt.MatchString(path) }},
}

// Rounding forgives floats that differ in their last digits: servers add and
// multiply in another order, and vectors are single precision.
var Rounding = []Loosening{
	{"float-rounding", always, rounded(1e-12)},
	{"vector-rounding", asks(`"embedder":`), rounded(2e-6)},
}

func rounded(by float64) func(path string, got, want any) bool {
	return func(_ string, got, want any) bool {
		a, okA := number(got)
		b, okB := number(want)
		return okA && okB && (fraction(got) || fraction(want)) && math.Abs(a-b) <= by*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
	}
}

// Sharded are all loosenings between Miroir over several nodes and one node. The
// names are those of docs/equivalence.md.
var Sharded = append([]Loosening{
	{"distinct-total", asks(`"distinct":`), estimate},
	{"distinct-facets", asks(`"distinct":`), facets},
	{"threshold-total", asks(`"rankingScoreThreshold":`), func(path string, got, want any) bool {
		return estimate(path, got, want) || path == "totalHits" || path == "totalPages" || facets(path, got, want)
	}},
	{"federated-distinct", both(asks(`"distinct":`), asks(`"federation":{`)), func(path string, _, _ any) bool {
		return path == "totalHits" || path == "totalPages" || strings.HasPrefix(path, "facetsByIndex.") || strings.HasPrefix(path, "facetDistribution.") || strings.HasPrefix(path, "facetStats.")
	}},
	{"number-texts", asks(`"facets":["list"]`), facets},
	{"threshold-facets", asks(`"rankingScoreThreshold":`), func(path string, _, _ any) bool { return strings.HasPrefix(path, "facetHits") }},
	{"frequency-words", asks(`"matchingStrategy":"frequency"`), func(path string, _, _ any) bool {
		for _, part := range []string{"estimatedTotalHits", "total", "hits", "facetDistribution", "facetStats"} {
			if strings.HasPrefix(path, part) {
				return true
			}
		}
		return false
	}},
	{"typo-maximum", asks(`"showRankingScore`), func(path string, _, _ any) bool { return hitTypo.MatchString(path) || hitScore.MatchString(path) }},
}, Always...)

// DistinctSetting is what holds where the settings name a distinct attribute.
var DistinctSetting = []Loosening{{"distinct-total", always, estimate}, {"distinct-facets", always, facets}}

// DistinctValues is what holds where documents have several values of the distinct
// attribute.
var DistinctValues = []Loosening{{"distinct-values", always, func(path string, _, _ any) bool {
	for _, part := range []string{"hits", "total", "estimatedTotalHits", "facetDistribution.", "facetStats."} {
		if strings.HasPrefix(path, part) {
			return true
		}
	}
	return false
}}}

// facets are the counts of one list.
func facets(path string, _, _ any) bool {
	return strings.HasPrefix(path, "facetDistribution.") || strings.HasPrefix(path, "facetStats.")
}

// estimate is the total of one list, or of one of several.
func estimate(path string, _, _ any) bool {
	return path == "estimatedTotalHits" || strings.HasPrefix(path, "results[") && strings.HasSuffix(path, "].estimatedTotalHits")
}

func both(a, b func(string) bool) func(question string) bool {
	return func(q string) bool { return a(q) && b(q) }
}

func always(string) bool { return true }

// asks tells the questions that have a member.
func asks(text string) func(question string) bool {
	return func(question string) bool { return strings.Contains(question, text) }
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// fraction tells whether a number is written as one: integers are never rounded.
func fraction(v any) bool {
	n, ok := v.(json.Number)
	return ok && strings.ContainsAny(n.String(), ".eE")
}
