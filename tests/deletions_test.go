package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/corpus"
	"github.com/miroir-search/miroir/tests/fleet"
)

// One node gives the places of deleted documents to new ones, so that these come
// before older ones where no rule tells hits apart. Miroir keeps the order of
// insertion. Nothing else may differ after deletions, and nothing at all after
// updates.
func TestTiesAfterUpdatesAndDeletions(t *testing.T) {
	set := corpus.Load(t, "films", 30, 1200)
	v := set.Variant("plain")
	asked := corpus.GenerateOnly(set, v, 400, 11, func(feature string) bool {
		return strings.Contains(" placeholder keyword prefix filter sort paging ", " "+feature+" ")
	})
	old, fresh := *set, *set
	old.Docs, fresh.Docs = set.Docs[:1000], set.Docs[1000:]
	one, many := fleet.StartNode(t, "single", "").API, fleet.Start(t, fleet.Options{Groups: 1, PerGroup: 3}).API
	index := "/indexes/" + corpus.Index(set, v)
	both := func(f func(s fleet.API)) { f(one); f(many) }
	compared := func(what string) *equivalence {
		c := &equivalence{one: one, many: many, used: map[string]int{}, counts: sharedTally{}, quiet: true}
		for _, q := range asked {
			c.compare(t, &loadedSet{set: set, v: v}, q, one.Do(t, q.Method, q.Path, q.Body))
		}
		ties, worse := 0, 0
		for _, n := range c.counts {
			ties, worse = ties+n[tied], worse+n[unlike]
		}
		t.Logf("%s: %d questions, %d differ in ties, %d in more", what, c.asked, ties, worse)
		if worse > 0 {
			t.Errorf("%s: %d answers differ in more than ties:\n%s", what, worse, c.counts)
		}
		return c
	}
	both(func(s fleet.API) { loadSet(t, s, &old, v) })
	if c := compared("loaded"); c.found > 0 {
		t.Errorf("%d answers differ before anything was deleted", c.found)
	}
	both(func(s fleet.API) { // every third is sent again, in another order
		var again []json.RawMessage
		for i := len(old.Docs) - 1; i >= 0; i -= 3 {
			again = append(again, old.Docs[i])
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		s.Write(t, "PUT", index+"/documents", string(text))
	})
	if c := compared("updated"); c.found > 0 {
		t.Errorf("%d answers differ after updates", c.found)
	}
	both(func(s fleet.API) {
		var ids []string
		for i := 7; i < len(old.Docs); i += 10 {
			var doc struct{ ID int }
			if err := json.Unmarshal(old.Docs[i], &doc); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, fmt.Sprint(doc.ID))
		}
		s.Write(t, "POST", index+"/documents/delete-batch", "["+strings.Join(ids, ",")+"]")
	})
	if c := compared("a tenth deleted"); c.found > 0 {
		t.Errorf("%d answers differ after deletions alone", c.found)
	}
	both(func(s fleet.API) {
		text, err := json.Marshal(fresh.Docs)
		if err != nil {
			t.Fatal(err)
		}
		s.Write(t, "POST", index+"/documents", string(text))
	})
	compared("as many and as many again added")
}
