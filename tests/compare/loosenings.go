package compare

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var (
	hitTypo  = regexp.MustCompile(`^hits\[\d+\]\._rankingScoreDetails\.typo\.(maxTypoCount|score)$`)
	hitScore = regexp.MustCompile(`^hits\[\d+\]\._rankingScore$`)
	fedScore = regexp.MustCompile(`^hits\[\d+\]\._federation\.weightedRankingScore$`)

	formattedAt = regexp.MustCompile(`^hits\[\d+\]\._formatted$`)

	timeAt = regexp.MustCompile(`^(results\[\d+\]\.)?processingTimeMs$`)
	uidAt  = regexp.MustCompile(`^(results\[\d+\]\.)?requestUid$`)
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
	{"short-prefix", ShortPrefix, listed},
	{"unknown-fields", asks(`"attributesTo`), func(path string, got, want any) bool {
		return got == nil && want != nil && formattedAt.MatchString(path)
	}},
	{"hidden-attributes", always, func(path string, got, want any) bool {
		a, okA := got.(string)
		b, okB := want.(string)
		return path == "message" && okA && okB && strings.ReplaceAll(b, ", <..hidden-attributes>", "") == a
	}},
	{"threshold-facets", asks(`"rankingScoreThreshold":`), func(path string, _, _ any) bool { return strings.HasPrefix(path, "facetHits") }},
	{"frequency-words", asks(`"matchingStrategy":"frequency"`), listed},
	{"typo-maximum", asks(`"showRankingScore`), func(path string, _, _ any) bool { return hitTypo.MatchString(path) || hitScore.MatchString(path) }},
	{"typo-maximum", asks(`"federation":{`), func(path string, _, _ any) bool { return fedScore.MatchString(path) }},
}, Always...)

// DistinctSetting is what holds where the settings name a distinct attribute.
var DistinctSetting = []Loosening{{"distinct-total", always, estimate}, {"distinct-facets", always, facets}}

// DistinctValues is what holds where documents have several values of the distinct
// attribute.
var DistinctValues = []Loosening{{"distinct-values", always, listed}}

// NumberTexts is what holds where a field has numbers and strings that read alike.
var NumberTexts = []Loosening{{"number-texts", always, facets}}

// listed is everything about which documents are listed, and in which order.
func listed(path string, _, _ any) bool {
	for _, part := range []string{"hits", "total", "estimatedTotalHits", "facetDistribution.", "facetStats."} {
		if strings.HasPrefix(path, part) {
			return true
		}
	}
	return false
}

var lastWord = regexp.MustCompile(`"q":"(?:[^"\\]|\\.)*?([^"\\\s]*)"`)

// ShortPrefix tells the searches whose last word is the beginning of others and has
// at most four bytes.
func ShortPrefix(question string) bool {
	for _, m := range lastWord.FindAllStringSubmatch(question, -1) {
		if n := len(m[1]); n > 0 && n <= 4 {
			return true
		}
	}
	return false
}

// Neighbours is what holds between real nodes that hold many vectors.
var Neighbours = []Loosening{{"vector-neighbours", asks(`"embedder":`), listed}}

// FoldFacets gives the values of facets the spelling that nodes find them by, so
// that two answers that show other spellings of a value are alike.
func FoldFacets(body []byte) []byte {
	var answer any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&answer) != nil {
		return body
	}
	foldFacets(answer)
	if text, err := json.Marshal(answer); err == nil {
		return text
	}
	return body
}

func foldFacets(v any) {
	answer, ok := v.(map[string]any)
	if !ok {
		return
	}
	if results, ok := answer["results"].([]any); ok {
		for _, r := range results {
			foldFacets(r)
		}
	}
	all, _ := answer["facetDistribution"].(map[string]any)
	for name, values := range all {
		folded := map[string]any{}
		if values, ok := values.(map[string]any); ok {
			for value, n := range values {
				folded[strings.ToLower(strings.TrimSpace(norm.NFKD.String(value)))] = n
			}
			all[name] = folded
		}
	}
}

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
