package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// commonWords makes an index in which a few words are in nearly every document, so
// that searches for them use columns.
func commonWords(t testing.TB, change func(*Settings)) *Index {
	words := strings.Fields("the a an of is in and film films form filming filmed isa ofthe thefilm inan direct directed director")
	rng := rand.New(rand.NewPCG(5, 6))
	text := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = words[min(rng.IntN(len(words)), rng.IntN(len(words)))]
			if rng.IntN(40) == 0 {
				list[i] += "."
			}
		}
		return strings.Join(list, " ")
	}
	s := DefaultSettings()
	s.SearchableAttributes = []string{"title", "text", "more"}
	if change != nil {
		change(&s)
	}
	var docs []json.RawMessage
	for i := range 2500 {
		docs = append(docs, json.RawMessage(fmt.Sprintf(`{"id":%d,"title":%q,"text":%q,"more":%q,"other":"a film"}`, i, text(1+rng.IntN(4)), text(rng.IntN(30)), text(rng.IntN(3)))))
	}
	for i := range 150 { // a prefix of many words
		docs = append(docs, json.RawMessage(fmt.Sprintf(`{"id":%d,"title":"fi%c%cx the","text":"f%c%cs of a film"}`, 2500+i, 'a'+i%26, 'a'+i/26, 'a'+i%26, 'a'+i/26)))
	}
	x := New(s)
	apply(t, x, putAll(t, docs, "id").Ops...)
	return x
}

// TestColumnsChangeNothing asks everything twice: from lists of places, and by visiting
// every document.
func TestColumnsChangeNothing(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"default": nil,
		"exact attribute": func(s *Settings) {
			s.Typo.DisableOnAttributes = []string{"title"}
		},
		"even":         func(s *Settings) { s.Even = true },
		"by attribute": func(s *Settings) { s.ProximityByAttribute = true },
		"synonyms":     func(s *Settings) { s.Synonyms = map[string][]string{"film": {"the form"}, "is": {"a"}} },
	} {
		t.Run(name, func(t *testing.T) {
			x := commonWords(t, change)
			for i, text := range []string{"the", "the film", "is a", "film f", "of fi", "the film is", "film directed by", "a a", "the a of", "an film of the", `"the film"`, `"the film" of a`,
				`"a of the" is`, "thef ilm", "isa", "form of", "filn the", "flim in an", "the film -isa", "fi the", "director of fi", "d of f"} {
				q := NewQuery(text)
				q.Limit, q.Offset = 60, 400*(i%2)
				q.MatchingStrategy = []MatchingStrategy{MatchLast, MatchAll, MatchLast, MatchFrequency}[i%4]
				if i%3 == 1 {
					q.AttributesToSearchOn = []string{"text", "more"}
				}
				compareWays(t, x, q)
			}
		})
	}
}

func compareWays(t *testing.T, x *Index, q *Query) {
	t.Helper()
	fast, err := x.Search(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	sameVisiting(t, x, q, fast)
}

// sameVisiting asks again, visiting every document.
func sameVisiting(t *testing.T, x *Index, q *Query, fast *Result) {
	t.Helper()
	least := x.core.columns.least
	x.core.columns.least = math.MaxInt
	slow, err := x.Search(context.Background(), q)
	x.core.columns.least = least
	if err != nil {
		t.Fatal(err)
	}
	if fast.Total != slow.Total || len(fast.Hits) != len(slow.Hits) {
		t.Fatalf("%q: %d of %d hits, visiting documents %d of %d", q.Q, len(fast.Hits), fast.Total, len(slow.Hits), slow.Total)
	}
	for i := range fast.Hits {
		if !reflect.DeepEqual(fast.Hits[i], slow.Hits[i]) {
			t.Fatalf("%q: hit %d is %+v, visiting documents %+v", q.Q, i, fast.Hits[i], slow.Hits[i])
		}
	}
}

// TestColumnsFollowChanges searches after documents have changed.
func TestColumnsFollowChanges(t *testing.T) {
	x := commonWords(t, nil)
	q := NewQuery("the film")
	q.MatchingStrategy = MatchAll
	compareWays(t, x, q)
	if len(x.core.columns.known) == 0 {
		t.Fatal("no columns were made")
	}
	apply(t, x, Op{Kind: OpPut, ID: "17", Doc: json.RawMessage(`{"id":17,"title":"the film"}`)}, Op{Kind: OpDelete, ID: "3"})
	compareWays(t, x, q)
}

func TestAhead(t *testing.T) {
	at := func(attr, pos uint32) uint32 { return attr<<16 | pos }
	for _, c := range []struct {
		left, right []uint32
		want        uint32
	}{
		{nil, []uint32{1}, 4},
		{[]uint32{1}, nil, 4},
		{[]uint32{1}, []uint32{1}, 4},
		{[]uint32{1}, []uint32{2}, 1},
		{[]uint32{1, 5}, []uint32{3, 9}, 2},
		{[]uint32{1, 6}, []uint32{0, 8, 9}, 2},
		{[]uint32{2}, []uint32{1, 40}, 4},
		{[]uint32{at(0, 65535)}, []uint32{at(1, 0)}, 4},
		{[]uint32{at(0, 3), at(1, 3)}, []uint32{at(1, 4)}, 1},
	} {
		if got := ahead(c.left, c.right, 4); got != c.want {
			t.Errorf("ahead(%v, %v) = %d, want %d", c.left, c.right, got, c.want)
		}
	}
}

// TestColumnsAreShared searches at the same time, for the race detector.
func TestColumnsAreShared(t *testing.T) {
	x := commonWords(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, text := range []string{"the film", "a of the", `"the film"`, "is f"} {
				if res, err := x.Search(context.Background(), NewQuery(text)); err != nil || len(res.Hits) != 20 {
					t.Errorf("%q: %v", text, err)
				}
			}
		})
	}
	wg.Wait()
}
