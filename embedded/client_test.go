package embedded_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/meilisearch/meilisearch-go"

	"github.com/miroir-search/miroir/embedded"
)

func TestTheOfficialGoClientWorks(t *testing.T) {
	node := embedded.RunT(t, embedded.Options{Addr: "127.0.0.1:0", MasterKey: master, Window: -1})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := meilisearch.New(node.URL(), meilisearch.WithAPIKey(master), meilisearch.WithCustomClient(&http.Client{Transport: transport}))
	defer client.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wait := func(info *meilisearch.TaskInfo, err error) {
		t.Helper()
		check(err)
		task, err := client.WaitForTask(info.TaskUID, time.Millisecond)
		check(err)
		if task.Status != meilisearch.TaskStatusSucceeded {
			t.Fatalf("task %d: %+v", info.TaskUID, task.Error)
		}
	}
	index := client.Index("films")
	wait(index.AddDocuments([]map[string]any{{"id": 1, "title": "Alien", "year": 1979}, {"id": 2, "title": "Heat", "year": 1995}}, nil))
	wait(index.UpdateSettings(&meilisearch.Settings{FilterableAttributes: []string{"year"}, SortableAttributes: []string{"year"}}))
	res, err := index.Search("alien", &meilisearch.SearchRequest{Filter: "year < 1990", Facets: []string{"year"}})
	check(err)
	if len(res.Hits) != 1 || res.EstimatedTotalHits != 1 {
		t.Errorf("search: %+v", res)
	}
	var docs meilisearch.DocumentsResult
	check(index.GetDocuments(&meilisearch.DocumentsQuery{Limit: 1, Sort: []string{"year:desc"}}, &docs))
	if docs.Total != 2 || len(docs.Results) != 1 {
		t.Errorf("documents: %+v", docs)
	}
	s, err := index.GetSettings()
	check(err)
	if len(s.SortableAttributes) != 1 {
		t.Errorf("settings: %+v", s)
	}
	multi, err := client.MultiSearch(&meilisearch.MultiSearchRequest{Queries: []*meilisearch.SearchRequest{{IndexUID: "films", Query: "heat"}}})
	check(err)
	if len(multi.Results) != 1 || len(multi.Results[0].Hits) != 1 {
		t.Errorf("multi-search: %+v", multi)
	}
	stats, err := client.GetStats(nil)
	check(err)
	if stats.Indexes["films"].NumberOfDocuments != 2 {
		t.Errorf("stats: %+v", stats)
	}
	keys, err := client.GetKeys(nil)
	check(err)
	if keys.Total != 4 {
		t.Errorf("keys: %+v", keys)
	}
	wait(index.DeleteDocument("1", nil))
	wait(client.DeleteIndex("films"))
	tasks, err := client.GetTasks(nil)
	check(err)
	if tasks.Total != 4 {
		t.Errorf("tasks: %+v", tasks)
	}
}
