package actors

import (
	"net/http"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
)

func (f *fleet) federated(body string) *messages.Answer {
	return f.read(&messages.FederatedSearch{Body: []byte(body)})
}

func TestAFederatedSearchShowsItsPerformance(t *testing.T) {
	for _, copies := range []int{1, 2} {
		f := newFleet(t, 1, 2, copies)
		f.must(adding("films", `[{"id":1},{"id":2},{"id":3}]`))
		f.must(adding("books", `[{"id":1},{"id":2},{"id":3}]`))
		for _, queries := range []string{``, `{"indexUid":"films"}`, `{"indexUid":"films"},{"indexUid":"books"}`} {
			_, a := f.page(f.federated(`{"federation":{"showPerformanceDetails":true},"queries":[` + queries + `]}`))
			if strings.Count(string(a.Body), `"performanceDetails":{"`) != 1 {
				t.Errorf("asked for: %s", a.Body)
			}
			_, a = f.page(f.federated(`{"federation":{},"queries":[` + queries + `]}`))
			if strings.Contains(string(a.Body), "performanceDetails") {
				t.Errorf("not asked for: %s", a.Body)
			}
		}
	}
}

func TestAFederatedSearchIsNotPersonalized(t *testing.T) {
	c, _ := startFixed(t, 1, 1)
	_, _, bad := c.newFederatedJob([]byte(`{"federation":{"personalize":{"userContext":"x"}},"queries":[{"indexUid":"films"}]}`), false)
	if bad == nil || bad.Code != "miroir_not_supported" || !strings.Contains(bad.Message, "`federation.personalize`") {
		t.Errorf("%v", bad)
	}
	if _, _, bad = c.newFederatedJob([]byte(`{"federation":{"personalize":null},"queries":[{"indexUid":"films"}]}`), false); bad != nil {
		t.Errorf("null: %v", bad)
	}
}

// Nodes have lost an index that is still in our tables, as while it is deleted.
func TestAFederatedSearchOfAnIndexThatIsGone(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", `[{"id":1},{"id":2},{"id":3}]`))
	f.must(adding("books", `[{"id":1},{"id":2},{"id":3}]`))
	gone := func(a *messages.Answer, want string) {
		t.Helper()
		if a.Err == nil || a.Err.Code != "index_not_found" || a.Err.Status() != 400 || a.Err.Message != want {
			t.Errorf("%v %s", a.Err, a.Body)
		}
	}
	iv, _ := f.c.registry.lookup("books")
	for _, n := range f.nodes {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, n.URL()+"/indexes/"+iv.row.ID, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	both := `{"federation":{},"queries":[{"indexUid":"films"},{"indexUid":"books"}]}`
	f.eventually("books are gone", func() bool { return f.federated(both).Err != nil })
	gone(f.federated(both), "Inside `.queries[1]`: Index `books` not found.")
	for _, n := range f.nodes {
		n.Faults().Add(embedded.Fault{Path: "/multi-search", Status: 404, Code: "index_not_found"})
	}
	gone(f.federated(`{"federation":{},"queries":[{"indexUid":"films"}]}`), "Inside `.queries[0]`: Index `films` not found.")
	gone(f.federated(`{"federation":{},"queries":[{"indexUid":"nowhere","limit":3}]}`), "Inside `.queries[0]`: Index `nowhere` not found.")
}
