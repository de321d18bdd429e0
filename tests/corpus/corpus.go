// Package corpus makes the questions that two servers are asked side by side: data
// sets, settings they are loaded under, and searches built from the documents' own
// words. The same seed gives the same questions.
package corpus

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// Question is one request that only reads.
type Question struct {
	Feature            string // what it is about, one of Features
	Method, Path, Body string
}

// Set is one data set and what questions need to know of it.
type Set struct {
	Name, Key string            // of the set and of its primary key
	Docs      []json.RawMessage // without vectors
	Text      []string          // fields with text, the most important first
	Facets    []string          // fields with values to filter by and to count
	Numbers   []string          // fields with numbers
	Sorts     []string          // fields to sort by
	Geo       bool              // whether documents have _geo

	words  *vocabulary
	values map[string][]any // values of Facets and Numbers
}

// Names are the public data sets; Odd is always there.
var Names = []string{"films", "books", "cities", "products"}

var sets = map[string]struct {
	file string
	Set
}{
	"films": {"movies", Set{Name: "films", Key: "id", Text: []string{"title", "overview", "cast"},
		Facets: []string{"genres", "cast"}, Numbers: []string{"year"}, Sorts: []string{"year", "title"}}},
	"books": {"books", Set{Name: "books", Key: "id", Text: []string{"title", "original_title", "authors"},
		Facets: []string{"authors", "language", "original_title"}, Numbers: []string{"average_rating", "ratings_count", "year"},
		Sorts: []string{"year", "average_rating", "original_title", "language"}}},
	"cities": {"world-cities", Set{Name: "cities", Key: "geonameid", Text: []string{"name", "asciiname", "alternatenames", "country"},
		Facets: []string{"country", "country_code", "timezone"}, Numbers: []string{"population"}, Sorts: []string{"population", "name", "country"}, Geo: true}},
	"products": {"products", Set{Name: "products", Key: "id", Text: []string{"name", "description", "brand"},
		Facets: []string{"brand", "categories"}, Numbers: []string{"price", "popularity"}, Sorts: []string{"price", "popularity", "brand"}}},
}

// Load reads a data set: every step-th document, at most limit of them (0 for no
// limit). Without the file the test is skipped; "odd" needs none.
func Load(t testing.TB, name string, step, limit int) *Set {
	t.Helper()
	if name == "odd" {
		return Odd()
	}
	from, ok := sets[name]
	if !ok {
		t.Fatalf("there is no data set %q", name)
	}
	var all []json.RawMessage
	fleet.Data(t, from.file, &all)
	set := from.Set
	for i := 0; i < len(all) && (limit == 0 || len(set.Docs) < limit); i += max(1, step) {
		set.Docs = append(set.Docs, compacted(all[i]))
	}
	set.learn()
	return &set
}

// Index is the uid under which a set is loaded with a variant's settings.
func Index(s *Set, v Variant) string { return s.Name + "-" + v.Name }

// Generate makes n questions to one loaded set. Each feature that fits the set and
// the variant has its share.
func Generate(s *Set, v Variant, n int, seed uint64) []Question {
	return GenerateOnly(s, v, n, seed, nil)
}

// GenerateOnly is Generate for the features that keep allows; nil allows all.
func GenerateOnly(s *Set, v Variant, n int, seed uint64, keep func(feature string) bool) []Question {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x6d69726f6972)), set: s, variant: v, index: Index(s, v)}
	var turn []maker
	for _, m := range makers {
		if (m.fits == nil || m.fits(g)) && (keep == nil || keep(m.feature)) {
			for range m.share {
				turn = append(turn, m)
			}
		}
	}
	out := make([]Question, 0, n)
	for len(out) < n && len(turn) > 0 {
		g.Shuffle(len(turn), func(i, j int) { turn[i], turn[j] = turn[j], turn[i] })
		for _, m := range turn[:min(len(turn), n-len(out))] {
			q := m.make(g)
			q.Feature = m.feature
			out = append(out, q)
		}
	}
	return out
}

// Features are the names of all features, in the order of the tables.
func Features() []string {
	var out []string
	for _, m := range makers {
		out = append(out, m.feature)
	}
	return out
}

// String is the question in one line.
func (q Question) String() string { return fmt.Sprintf("%s %s %s", q.Method, q.Path, q.Body) }
