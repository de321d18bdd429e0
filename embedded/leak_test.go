package embedded_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

// leakHit is a hit with what a merger can see of it. Ids are given in the order of insertion.
type leakHit struct {
	ID      int                        `json:"id"`
	Score   float64                    `json:"_rankingScore"`
	Details map[string]json.RawMessage `json:"_rankingScoreDetails"`
}

func (c *client) leakSearch(q string) []leakHit {
	c.t.Helper()
	body, _ := json.Marshal(map[string]any{"q": q, "limit": 1000, "showRankingScore": true, "showRankingScoreDetails": true, "attributesToRetrieve": []string{"id"}})
	code, answer := c.send("POST", "/indexes/a/search", string(body))
	var out struct{ Hits []leakHit }
	if err := json.Unmarshal([]byte(answer), &out); err != nil || code != 200 {
		c.t.Fatalf("%d %s", code, answer)
	}
	return out.Hits
}

// naively merges by the ranking score.
func naively(a, b leakHit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) }

// ruleByRule merges by what each rule found: numbers of words and typos, which mean the same everywhere.
func ruleByRule(a, b leakHit) int {
	at := func(h leakHit, rule string) (out struct{ MatchingWords, TypoCount, Score float64 }) {
		_ = json.Unmarshal(h.Details[rule], &out)
		return out
	}
	c := cmp.Or(cmp.Compare(at(b, "words").MatchingWords, at(a, "words").MatchingWords), cmp.Compare(at(a, "typo").TypoCount, at(b, "typo").TypoCount))
	for _, rule := range []string{"proximity", "attributeRank", "wordPosition", "exactness"} {
		c = cmp.Or(c, cmp.Compare(at(b, rule).Score, at(a, rule).Score))
	}
	return cmp.Or(c, cmp.Compare(a.ID, b.ID))
}

// leakDocuments are texts in which words stand alone, joined, and misspelt. Joined words are rare, so most shards have
// none that others have.
func leakDocuments(n int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	pairs := [][]string{{"winter", "garden"}, {"silver", "bridge"}, {"orange", "castle"}}
	out := make([]string, n)
	for i := range out {
		p := pairs[rng.IntN(len(pairs))]
		text := p[0] + " " + p[1]
		switch k := rng.IntN(12); {
		case k < 3:
			text = p[0] + " of the old " + p[1]
		case k < 5:
			text = strings.Replace(p[0], p[0][2:3], "x", 1) + " " + p[1]
		case k < 7:
			text = p[0] + " " + strings.Replace(p[1], p[1][3:4], "y", 1)
		case k < 8:
			text = p[1] + " then " + p[0]
		case k == 8 && i%3 == 0: // one shard only
			text = p[0] + p[1]
		}
		out[i] = fmt.Sprintf(`{"id":%d,"text":%q}`, i, text)
	}
	return out
}

// Nodes leak as real servers do: what one holds changes the scores of all its hits, so merging by scores puts them in
// another order than one node would. Comparing rule by rule does not; nor do scores lie between nodes that are even.
func TestAMergeByRankingScoreGoesWrongAsOverRealServers(t *testing.T) {
	docs := leakDocuments(300)
	queries := []string{"winter garden", "silver bridge", "orange castle", "wintr garden", "silver brigde"}
	differences := func(even bool, order func(a, b leakHit) int) (n int) {
		one := start(t, embedded.Options{Even: even})
		one.task("POST", "/indexes/a/documents", "["+strings.Join(docs, ",")+"]")
		var shards []*client
		for s := range 3 {
			shard := start(t, embedded.Options{Even: even})
			var part []string
			for i := s; i < len(docs); i += 3 {
				part = append(part, docs[i])
			}
			shard.task("POST", "/indexes/a/documents", "["+strings.Join(part, ",")+"]")
			shards = append(shards, shard)
		}
		for _, q := range queries {
			var merged []leakHit
			for _, s := range shards {
				merged = append(merged, s.leakSearch(q)...)
			}
			slices.SortFunc(merged, order)
			if !slices.EqualFunc(merged, one.leakSearch(q), func(a, b leakHit) bool { return a.ID == b.ID }) {
				n++
			}
		}
		return n
	}
	if n := differences(false, naively); n < 3 {
		t.Errorf("a merge by ranking scores goes wrong for %d of %d queries: nodes do not leak", n, len(queries))
	}
	if n := differences(false, ruleByRule); n > 0 {
		t.Errorf("a merge rule by rule goes wrong for %d of %d queries", n, len(queries))
	}
	if n := differences(true, naively); n > 0 {
		t.Errorf("over even nodes a merge by ranking scores goes wrong for %d of %d queries", n, len(queries))
	}
}

// A dictionary of many words that a typo leads to: one node looks at the first 150, three find more between them.
func TestOfManyMisspeltWordsTheFirstAreFound(t *testing.T) {
	total := func(even bool, words []string) int {
		c := start(t, embedded.Options{Even: even})
		var docs []string
		for i, w := range words {
			docs = append(docs, fmt.Sprintf(`{"id":%d,"text":%q}`, i, w))
		}
		c.task("POST", "/indexes/a/documents", "["+strings.Join(docs, ",")+"]")
		return len(c.leakSearch("wonder "))
	}
	var words []string
	for i := 1; i < 6; i++ {
		for r := 'a'; r <= 'z'; r++ {
			if w := "wonder"[:i] + string(r) + "wonder"[i:]; r != rune("wonder"[i]) {
				words = append(words, w) // one letter more
			}
			if w := "wonder"[:i] + string(r) + "wonder"[i+1:]; r != rune("wonder"[i]) {
				words = append(words, w) // another letter
			}
		}
	}
	if n := total(false, words); n != 150 {
		t.Errorf("one node finds %d of %d words", n, len(words))
	}
	if a, b := total(false, words[:100]), total(false, words[100:]); a+b != len(words) {
		t.Errorf("two nodes find %d and %d of %d words", a, b, len(words))
	}
	if n := total(true, words); n != len(words) {
		t.Errorf("an even node finds %d of %d words", n, len(words))
	}
}
