package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// loosening is a difference between Miroir and one node that is not an error.
// Each has a line in docs/equivalence.md.
type loosening struct {
	name string
	// applies tells the questions that have it.
	applies func(question string) bool
	// forgives tells whether the difference at a path is of this kind. The path
	// is made of member names and places, such as hits[3].title.
	forgives func(path string) bool
}

var (
	hitTypo  = regexp.MustCompile(`^hits\[\d+\]\._rankingScoreDetails\.typo\.(maxTypoCount|score)$`)
	hitScore = regexp.MustCompile(`^hits\[\d+\]\._rankingScore$`)
)

// loosenings are all there are. The names are those of docs/equivalence.md.
var loosenings = []loosening{
	{"processing-time", always, func(path string) bool { return path == "processingTimeMs" }},
	{"request-uid", always, func(path string) bool { return path == "requestUid" }},
	{"distinct-total", asks(`"distinct":`), func(path string) bool { return path == "estimatedTotalHits" }},
	{"threshold-total", asks(`"rankingScoreThreshold":`), func(path string) bool { return path == "estimatedTotalHits" }},
	{"frequency-words", asks(`"matchingStrategy":"frequency"`), func(path string) bool {
		return path == "estimatedTotalHits" || strings.HasPrefix(path, "hits")
	}},
	{"typo-maximum", asks(`"showRankingScore`), func(path string) bool { return hitTypo.MatchString(path) || hitScore.MatchString(path) }},
}

func always(string) bool { return true }

// asks tells the questions that have a member.
func asks(text string) func(question string) bool {
	return func(question string) bool { return strings.Contains(question, text) }
}

// loosened are the loosenings of one question.
func loosened(question string) []loosening {
	var out []loosening
	for _, l := range loosenings {
		if l.applies(question) {
			out = append(out, l)
		}
	}
	return out
}

// compare reports how two JSON answers differ beyond the loosenings: exactly,
// down to the text of numbers, but for the order of members. used hears of every
// loosening that was needed; it may be nil.
func compare(got, want []byte, used func(name string), loose ...loosening) []string {
	if bytes.Equal(got, want) {
		return nil
	}
	a, errA := exact(got)
	b, errB := exact(want)
	if errA != nil || errB != nil {
		return []string{fmt.Sprintf("no JSON: %v %v", errA, errB)}
	}
	var c comparison
	c.loose, c.used = loose, used
	c.walk("", a, b)
	return c.found
}

func exact(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

type comparison struct {
	loose []loosening
	used  func(name string)
	found []string
}

func (c *comparison) differ(path, format string, args ...any) {
	for _, l := range c.loose {
		if l.forgives(path) {
			if c.used != nil {
				c.used(l.name)
			}
			return
		}
	}
	c.found = append(c.found, path+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) walk(path string, got, want any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.differ(path, "%s, want %s", show(got), show(want))
			return
		}
		names := maps.Clone(w)
		maps.Copy(names, g)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			at := strings.TrimPrefix(path+"."+name, ".")
			gv, inGot := g[name]
			wv, inWant := w[name]
			if inGot != inWant {
				c.differ(at, "there: %v, want %v", inGot, inWant)
				continue
			}
			c.walk(at, gv, wv)
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			c.differ(path, "%s, want %s", show(got), show(want))
			return
		}
		for i := range w {
			c.walk(fmt.Sprintf("%s[%d]", path, i), g[i], w[i])
		}
	default:
		if got != want {
			c.differ(path, "%s, want %s", show(got), show(want))
		}
	}
}

func show(v any) string {
	if list, ok := v.([]any); ok && len(list) > 5 {
		return fmt.Sprintf("a list of %d", len(list))
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data[:min(len(data), 200)])
}
