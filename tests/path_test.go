package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// A thousand documents over 2 groups of 2 nodes: the answers a user counts on.
func TestAThousandDocuments(t *testing.T) {
	f := fleet.Start(t, fleet.Options{})
	f.Write(t, "PATCH", "/indexes/films/settings", `{"filterableAttributes":["genre","n"],"sortableAttributes":["n"]}`)
	const n = 1000
	a := f.Write(t, "POST", docsPath, made(0, n))
	if a.Degraded() != "" {
		t.Errorf("a healthy fleet is called degraded: %s", a.Degraded())
	}

	t.Run("are retrievable by id", func(t *testing.T) {
		for i := range n {
			var doc map[string]any
			f.Get(t, fmt.Sprintf("%s/%d", docsPath, i), &doc)
			if len(doc) != 4 || doc["id"] != float64(i) || doc["n"] != float64(i) {
				t.Fatalf("document %d is %v", i, doc)
			}
		}
	})
	t.Run("are really split over the nodes of a group", func(t *testing.T) {
		for g := range 2 {
			sum := 0
			for _, node := range f.Group(g) {
				held := documentsOf(t, node)
				if held < n/5 || held > n*4/5 {
					t.Errorf("%s holds %d of %d documents", node.ID, held, n)
				}
				sum += held
			}
			if sum != n {
				t.Errorf("group %d holds %d documents, want %d", g, sum, n)
			}
		}
	})
	t.Run("are found by their own word once", func(t *testing.T) {
		for i := 0; i < n; i += 7 {
			var p page
			f.Post(t, searchPath, fmt.Sprintf(`{"q":"\"%s\""}`, ownWord(i)), &p)
			if !slices.Equal(p.ids(), []int{i}) || p.EstimatedTotalHits != 1 {
				t.Fatalf("the word of %d finds %v, total %d", i, p.ids(), p.EstimatedTotalHits)
			}
		}
	})
	t.Run("are counted once in facets and totals", func(t *testing.T) {
		for range 4 { // each group is asked
			var p page
			f.Post(t, searchPath, `{"q":"shared","facets":["genre"],"limit":1}`, &p)
			if want := map[string]int{"g0": 250, "g1": 250, "g2": 250, "g3": 250}; !maps.Equal(p.FacetDistribution["genre"], want) || p.EstimatedTotalHits != n {
				t.Errorf("facets %v, total %d", p.FacetDistribution, p.EstimatedTotalHits)
			}
		}
	})
	t.Run("are distinct over shards, whatever is retrieved", func(t *testing.T) {
		for _, more := range []string{``, `,"attributesToRetrieve":["id"]`, `,"attributesToRetrieve":["*"]`} {
			var p page
			f.Post(t, searchPath, `{"q":"shared","distinct":"genre"`+more+`}`, &p)
			if !slices.Equal(p.ids(), []int{0, 1, 2, 3}) {
				t.Errorf("with %s: %v", more, p.ids())
			}
		}
	})
	t.Run("keep one order over pages", func(t *testing.T) { pagesKeepOrder(t, f) })
	t.Run("are counted once in statistics", func(t *testing.T) {
		var s struct {
			NumberOfDocuments int
			IsIndexing        bool
			FieldDistribution map[string]int
		}
		f.Get(t, "/indexes/films/stats", &s)
		if want := map[string]int{"id": n, "title": n, "genre": n, "n": n}; s.NumberOfDocuments != n || s.IsIndexing || !maps.Equal(s.FieldDistribution, want) {
			t.Errorf("statistics %+v", s)
		}
		var all struct{ Indexes map[string]json.RawMessage }
		f.Get(t, "/stats", &all)
		if names := slices.Collect(maps.Keys(all.Indexes)); !slices.Equal(names, []string{"films"}) {
			t.Errorf("statistics of indexes %v", names)
		}
	})
}

func pagesKeepOrder(t *testing.T, f *fleet.Fleet) {
	for _, what := range []string{`"q":""`, `"q":"shared"`, `"q":"shared","sort":["n:desc"]`, `"q":"shared zqa","filter":"n >= 100"`} {
		var whole page
		f.Post(t, searchPath, `{`+what+`,"limit":1000}`, &whole)
		var paged []int
		for offset := 0; offset < 1000; offset += 20 {
			var p page
			f.Post(t, searchPath, fmt.Sprintf(`{%s,"offset":%d,"limit":20}`, what, offset), &p)
			paged = append(paged, p.ids()...)
		}
		if !slices.Equal(paged, whole.ids()) {
			t.Errorf("%s: pages give another order than one request", what)
		}
		if once := slices.Compact(slices.Sorted(slices.Values(paged))); len(once) != len(paged) || len(once) == 0 {
			t.Errorf("%s: %d hits, %d different", what, len(paged), len(once))
		}
		if strings.Contains(what, "n:desc") && !slices.IsSortedFunc(whole.Hits, func(a, b struct {
			ID    int
			Title string
			N     int
		}) int {
			return b.N - a.N
		}) {
			t.Error("sorted search is not sorted")
		}
	}
}

// documentsOf counts what a node itself holds in indexes of clients.
func documentsOf(t *testing.T, n *fleet.Node) int {
	t.Helper()
	var s struct {
		Indexes map[string]struct {
			NumberOfDocuments int
			FieldDistribution map[string]int
		}
	}
	n.Get(t, "/stats", &s)
	sum := 0
	for _, x := range s.Indexes {
		sum += x.FieldDistribution["_miroir_shard"]
	}
	return sum
}

func TestTheTopologyAnswerHasItsShape(t *testing.T) {
	f := fleet.Start(t, fleet.Options{Groups: 2, PerGroup: 3, Replicas: 2, Shards: 12, MasterKey: "master-key-of-the-test", AdminKey: "admin-key-of-the-test-"})
	admin := fleet.API{URL: f.URL, Key: "admin-key-of-the-test-"}
	a := admin.Do(t, "GET", "/_miroir/topology", "")
	var shape struct {
		Version, Shards, ReplicationFactor *int
		Degraded                           *bool
		Groups                             []struct {
			ID    *int
			Nodes []map[string]any
		}
	}
	if err := json.Unmarshal(a.Body, &shape); err != nil || a.Status != 200 {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	if shape.Version == nil || shape.Degraded == nil || *shape.Degraded || *shape.Shards != 12 || *shape.ReplicationFactor != 2 || len(shape.Groups) != 2 {
		t.Fatalf("topology %s", a.Body)
	}
	for g, group := range shape.Groups {
		sum := 0
		for i, n := range group.Nodes {
			if want := []string{"address", "behind", "id", "reason", "shards", "since", "state", "version"}; !slices.Equal(slices.Sorted(maps.Keys(n)), want) {
				t.Errorf("a node has the members %v", n)
			}
			if id := fmt.Sprintf("%c%d", 'a'+g, i); n["id"] != id || n["state"] != "ready" || n["reason"] != "" || n["behind"] != 0.0 || n["address"] != f.Node(t, id).URL {
				t.Errorf("node %s is %v", id, n)
			}
			sum += int(n["shards"].(float64))
		}
		if len(group.Nodes) != 3 || *group.ID != g || sum != 24 {
			t.Errorf("group %d has %d nodes and %d copies of shards", g, len(group.Nodes), sum)
		}
	}
	for key, want := range map[string]int{"master-key-of-the-test": 200, "admin-key-of-the-test-": 200, "": 401, "something-else": 403} {
		if a := (fleet.API{URL: f.URL, Key: key}).Do(t, "GET", "/_miroir/topology", ""); a.Status != want {
			t.Errorf("with the key %q: %d, want %d", key, a.Status, want)
		}
	}
	if a := admin.Do(t, "GET", "/indexes", ""); a.Status != 403 {
		t.Errorf("the admin key lists indexes: %d", a.Status)
	}
}
