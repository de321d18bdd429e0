package http

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

const summary = `{"taskUid":7,"indexUid":"films","status":"enqueued","type":"documentAdditionOrUpdate","enqueuedAt":"2026-01-02T03:04:05.6Z"}`

func TestWritesBecomeMessages(t *testing.T) {
	create := messages.WriteOptions{CreateAllowed: true}
	text := func(s string) *string { return &s }
	withMeta := messages.WriteOptions{CreateAllowed: true, CustomMetadata: text("job 4")}
	tests := []struct {
		name, method, path, body string
		headers                  []string
		want                     any
	}{
		{"replacing documents", "POST", "/indexes/films/documents", `[{"id":1}]`, asJSON,
			&messages.AddDocuments{IndexUID: "films", Format: "json", Payload: []byte(`[{"id":1}]`), WriteOptions: create}},
		{"updating documents with everything", "PUT", "/indexes/films/documents?primaryKey=id&csvDelimiter=%3B&customMetadata=job+4&skipCreation=TRUE", "id\n1", []string{"Content-Type", "Text/CSV; charset=utf-8"},
			&messages.AddDocuments{IndexUID: "films", Update: true, Format: "csv", CSVDelimiter: ';', PrimaryKey: new("id"), SkipCreation: true, Payload: []byte("id\n1"), WriteOptions: withMeta}},
		{"documents as NDJSON at a path with slashes", "POST", "//indexes/films//documents/", `{"id":1}`, asNDJSON,
			&messages.AddDocuments{IndexUID: "films", Format: "ndjson", Payload: []byte(`{"id":1}`), WriteOptions: create}},
		{"deleting one document with a slash in its id", "DELETE", "/indexes/films/documents/a%2Fb%20c?customMetadata=job%204", "", nil,
			&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"a/b c"}, WriteOptions: withMeta}},
		{"deleting several documents", "POST", "/indexes/films/documents/delete-batch", `[1,"b",1]`, asJSON,
			&messages.DeleteDocuments{IndexUID: "films", IDs: []string{"1", "b", "1"}, WriteOptions: create}},
		{"deleting by filter", "POST", "/indexes/films/documents/delete", `{"filter": ["a = 1", ["b = 2"]]}`, asJSON,
			&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: json.RawMessage(`["a = 1",["b = 2"]]`), WriteOptions: create}},
		{"deleting all", "DELETE", "/indexes/films/documents", "", nil, &messages.ClearDocuments{IndexUID: "films", WriteOptions: create}},
		{"creating an index", "POST", "/indexes", `{"uid":"new","primaryKey":"k"}`, asJSON, &messages.CreateIndex{IndexUID: "new", PrimaryKey: "k", WriteOptions: create}},
		{"creating an index without a key", "POST", "/indexes", `{"uid":"new","primaryKey":null}`, asJSON, &messages.CreateIndex{IndexUID: "new", WriteOptions: create}},
		{"updating an index", "PATCH", "/indexes/films", `{"primaryKey":"k","uid":"movies"}`, asJSON,
			&messages.UpdateIndex{IndexUID: "films", PrimaryKey: text("k"), NewUID: text("movies"), WriteOptions: create}},
		{"deleting an index", "DELETE", "/indexes/films", "", nil, &messages.DeleteIndex{IndexUID: "films", WriteOptions: create}},
		{"changing settings", "PATCH", "/indexes/films/settings", `{"stopWords":["the","a"],"distinctAttribute":null}`, asJSON,
			&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"stopWords":["a","the"],"distinctAttribute":null}`), WriteOptions: create}},
		{"changing one setting", "PUT", "/indexes/films/settings/sortable-attributes", `["year"]`, asJSON,
			&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"sortableAttributes":["year"]}`), WriteOptions: create}},
		{"changing part of a setting", "PATCH", "/indexes/films/settings/pagination", `{"maxTotalHits":5}`, []string{"Content-Type", "application/json; charset=utf-8"},
			&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"pagination":{"maxTotalHits":5}}`), WriteOptions: create}},
		{"resetting one setting", "DELETE", "/indexes/films/settings/stop-words", "", nil,
			&messages.UpdateSettings{IndexUID: "films", Patch: json.RawMessage(`{"stopWords":null}`), Reset: true, WriteOptions: create}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			door := newFakeDoor()
			s := start(t, door, nil)
			r := send(t, s, tc.method, tc.path, tc.body, tc.headers...)
			if r.status != 202 || r.body != summary || r.header.Get("Content-Type") != "application/json" || r.header.Get("Content-Length") == "" {
				t.Errorf("answer is %d %s", r.status, r.body)
			}
			if len(door.writes) != 1 || !reflect.DeepEqual(door.writes[0], tc.want) {
				t.Errorf("the door got %s, want %s", dump(door.writes), dump([]any{tc.want}))
			}
		})
	}
}

func dump(v any) string {
	out, err := json.Marshal(v)
	return fmt.Sprintf("%T %s %v", v, out, err)
}

func TestReadsBecomeMessages(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		headers                  []string
		want                     any
	}{
		{"a search goes as it is", "POST", "/indexes/films/search", ` {"q" : "x", "nonsense":1}`, asJSON,
			&messages.Search{IndexUID: "films", Body: []byte(` {"q" : "x", "nonsense":1}`)}},
		{"metadata is asked for", "POST", "/indexes/films/search", `{}`, append([]string{"Meili-Include-Metadata", "true"}, asJSON...),
			&messages.Search{IndexUID: "films", Body: []byte(`{}`), IncludeMetadata: true}},
		{"all documents", "GET", "/indexes/films/documents", "", nil,
			&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"offset":0,"limit":20}`), IsGet: true}},
		{"some documents", "GET", "/indexes/films/documents?limit=2&offset=1&fields=id,title&ids=1,b&sort=year:desc&filter=%5B%22a=1%22%5D&retrieveVectors=true", "", nil,
			&messages.BrowseDocuments{IndexUID: "films", IsGet: true, Query: "limit=2&offset=1&fields=id,title&ids=1,b&sort=year:desc&filter=%5B%22a=1%22%5D&retrieveVectors=true",
				Body: []byte(`{"offset":1,"limit":2,"fields":["id","title"],"retrieveVectors":true,"ids":["1","b"],"filter":["a=1"],"sort":["year:desc"]}`)}},
		{"fetching documents", "POST", "/indexes/films/documents/fetch", `{"limit":1}`, asJSON,
			&messages.BrowseDocuments{IndexUID: "films", Body: []byte(`{"limit":1}`)}},
		{"one document", "GET", "/indexes/films/documents/a%2Fb?fields=id", "", nil,
			&messages.GetDocument{IndexUID: "films", DocumentID: "a/b", Query: map[string][]string{"fields": {"id"}}}},
		{"stats of an index", "GET", "/indexes/films/stats", "", nil, &messages.GetIndexStats{IndexUID: "films"}},
		{"stats of all", "GET", "/stats?showInternalDatabaseSizes=false&sizeFormat=raw", "", nil, &messages.GetStats{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			door := newFakeDoor()
			s := start(t, door, nil)
			r := send(t, s, tc.method, tc.path, tc.body, tc.headers...)
			if r.status != 200 || r.body != `{"hits":[]}` {
				t.Errorf("answer is %d %s", r.status, r.body)
			}
			if len(door.reads) != 1 || !reflect.DeepEqual(door.reads[0], tc.want) {
				t.Errorf("the door got %+v, want %+v", door.reads, tc.want)
			}
		})
	}
}

func TestSearchParametersBecomeABody(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	send(t, s, "GET", "/indexes/films/search?q=a+b&limit=3&filter=year%3D1&sort=year:asc,_geoPoint(1,2):desc&facets=genres,year&showRankingScore=true&matchingStrategy=all&hitsPerPage=4", "")
	m, ok := door.reads[0].(*messages.Search)
	if !ok {
		t.Fatalf("the door got %T", door.reads[0])
	}
	v, err := api.ParseJSON(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	q, bad := api.DecodeSearch(v)
	if bad != nil {
		t.Fatalf("%s is refused: %v", m.Body, bad)
	}
	if *q.Q != "a b" || q.Limit != 3 || q.Filter.Str != "year=1" || len(q.Sort) != 2 || q.Sort[1] != "_geoPoint(1,2):desc" || len(q.Facets) != 2 ||
		!q.ShowRankingScore || q.MatchingStrategy != "all" || *q.HitsPerPage != 4 {
		t.Errorf("body is %s", m.Body)
	}
}

func TestErrorsOfTheDoorAreAnswers(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	door.answer = func(context.Context, any) *messages.Answer {
		return &messages.Answer{Err: api.IndexNotFound("films"), Degraded: "shards=3"}
	}
	r := send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...)
	if r.status != 404 || r.code(t) != "index_not_found" || r.header.Get("X-Miroir-Degraded") != "shards=3" {
		t.Errorf("answer is %d %s %v", r.status, r.body, r.header)
	}
	door.answer = func(context.Context, any) *messages.Answer {
		return &messages.Answer{Status: 400, Body: []byte(`{"message":"m","code":"invalid_search_limit"}`)}
	}
	if r = send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...); r.status != 400 || r.body != `{"message":"m","code":"invalid_search_limit"}` {
		t.Errorf("answer is %d %s", r.status, r.body)
	}
	door.answer = func(context.Context, any) *messages.Answer { return nil }
	if r = send(t, s, "POST", "/indexes/films/search", `{}`, asJSON...); r.status != 500 || r.code(t) != "internal" {
		t.Errorf("answer is %d %s", r.status, r.body)
	}
	door.accepted = func(any) *messages.TaskAccepted {
		return &messages.TaskAccepted{Err: api.NewError(api.CodeNoQuorum, "no quorum, task 7"), Degraded: "groups=0; shards=1", Task: &api.TaskSummary{TaskUID: 7}}
	}
	r = send(t, s, "DELETE", "/indexes/films/documents", "")
	if r.status != 503 || r.code(t) != "miroir_no_quorum" || r.header.Get("Retry-After") != "10" || r.header.Get("X-Miroir-Degraded") == "" {
		t.Errorf("answer is %d %s %v", r.status, r.body, r.header)
	}
	door.failTask = fmt.Errorf("read task: %w", store.ErrUnavailable)
	if r = send(t, s, "GET", "/tasks/3", ""); r.status != 503 || r.code(t) != "miroir_store_unavailable" || strings.Contains(r.body, "read task") {
		t.Errorf("answer is %d %s", r.status, r.body)
	}
}

func TestMultiSearchJoinsItsSearches(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	door.answer = func(_ context.Context, msg any) *messages.Answer {
		m, _ := msg.(*messages.Search)
		switch m.IndexUID {
		case "none":
			return &messages.Answer{Err: api.IndexNotFound("none")}
		case "bad":
			return &messages.Answer{Status: 400, Body: []byte(`{"message":"wrong","code":"invalid_search_filter","type":"invalid_request","link":"x"}`)}
		case "empty":
			return &messages.Answer{Status: 200, Body: []byte(`{}`)}
		}
		return &messages.Answer{Status: 200, Nodes: 2, Degraded: "shards=" + m.IndexUID,
			Body: []byte(` {"hits":[{"requestUid":"uid of ` + m.IndexUID + `"}],"requestUid":"uid of ` + m.IndexUID + `"}`)}
	}
	ask := func(uids ...string) reply {
		var queries []string
		for _, uid := range uids {
			queries = append(queries, `{"indexUid":"`+uid+`","q":"x"}`)
		}
		return send(t, s, "POST", "/multi-search", `{"queries":[`+strings.Join(queries, ",")+`]}`, asJSON...)
	}
	r := ask("a", "bb", "empty", "a")
	want := `{"results":[{"indexUid":"a","hits":[{"requestUid":"uid of a"}],"requestUid":"uid of a"},` +
		`{"indexUid":"bb","hits":[{"requestUid":"uid of bb"}],"requestUid":"uid of a"},{"indexUid":"empty"},` +
		`{"indexUid":"a","hits":[{"requestUid":"uid of a"}],"requestUid":"uid of a"}]}`
	if r.status != 200 || r.body != want {
		t.Errorf("answer is %d %s", r.status, r.body)
	}
	if got := r.header.Values("X-Miroir-Degraded"); !reflect.DeepEqual(got, []string{"shards=a", "shards=bb"}) {
		t.Errorf("degraded is %q", got)
	}
	if r = ask(); r.status != 200 || r.body != `{"results":[]}` {
		t.Errorf("no queries give %d %s", r.status, r.body)
	}
	if r = ask("a", "none", "bad"); r.status != 400 || r.code(t) != "index_not_found" || !strings.Contains(r.body, "Inside `.queries[1]`: Index `none` not found.") {
		t.Errorf("a missing index gives %d %s", r.status, r.body)
	}
	if r = ask("bad"); r.status != 400 || r.code(t) != "invalid_search_filter" || !strings.Contains(r.body, "Inside `.queries[0]`: wrong") {
		t.Errorf("a bad query gives %d %s", r.status, r.body)
	}
	door.answer = func(context.Context, any) *messages.Answer { panic("boom") }
	if r = ask("a", "bb"); r.status != 500 || r.code(t) != "internal" {
		t.Errorf("a panic gives %d %s", r.status, r.body)
	}
}

func TestIndexesAreListed(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	const films = `{"uid":"films","createdAt":"2026-01-02T03:04:05.6Z","updatedAt":"2026-01-02T03:04:05.6Z","primaryKey":"id"}`
	const people = `{"uid":"people","createdAt":"2026-01-02T03:04:05.6Z","updatedAt":"2026-01-02T03:04:05.6Z","primaryKey":null}`
	for path, want := range map[string]string{
		"/indexes":                  `{"results":[` + films + `,` + people + `],"offset":0,"limit":20,"total":2}`,
		"/indexes?limit=1":          `{"results":[` + films + `],"offset":0,"limit":1,"total":2}`,
		"/indexes?offset=1&limit=5": `{"results":[` + people + `],"offset":1,"limit":5,"total":2}`,
		"/indexes?offset=9":         `{"results":[],"offset":9,"limit":20,"total":2}`,
		"/indexes/people":           people,
		"/version":                  `{"commitSha":"abc","commitDate":"2026-01-01","pkgVersion":"1.50.0"}`,
		"/health":                   `{"status":"available"}`,
		"/":                         `{"status":"Meilisearch is running"}`,
	} {
		if r := send(t, s, "GET", path, ""); r.status != 200 || r.body != want {
			t.Errorf("%s is %d %s", path, r.status, r.body)
		}
	}
}

func TestSettingsAreShownWithSecretsMasked(t *testing.T) {
	door := newFakeDoor()
	door.indexes[0].Settings = json.RawMessage(`{"stopWords":["the"],"embedders":{"e":{"source":"openAi","apiKey":"sk-abcdefghijklmnop"}}}`)
	s := start(t, door, nil)
	r := send(t, s, "GET", "/indexes/films/settings", "")
	var keys map[string]any
	if err := json.Unmarshal([]byte(r.body), &keys); err != nil || len(keys) < 20 {
		t.Fatalf("settings are %s, %v", r.body, err)
	}
	if !strings.HasPrefix(r.body, `{"displayedAttributes":["*"],"searchableAttributes":["*"],`) || !strings.Contains(r.body, `"stopWords":["the"]`) || strings.Contains(r.body, "abcdefgh") {
		t.Errorf("settings are %s", r.body)
	}
	if r = send(t, s, "GET", "/indexes/films/settings/stop-words", ""); r.body != `["the"]` {
		t.Errorf("stop words are %s", r.body)
	}
	if r = send(t, s, "GET", "/indexes/people/settings/pagination", ""); r.body != `{"maxTotalHits":1000}` {
		t.Errorf("pagination is %s", r.body)
	}
	if r = send(t, s, "GET", "/indexes/films/settings/embedders", ""); strings.Contains(r.body, "abcdefgh") {
		t.Errorf("embedders are %s", r.body)
	}
}

func TestTasksAndBatchesAreShown(t *testing.T) {
	door := newFakeDoor()
	next := int64(2)
	door.page = &store.TaskPage{Tasks: []*store.Task{door.tasks[3]}, Total: 9, From: &door.tasks[3].UID, Next: &next}
	s := start(t, door, nil)
	const task = `{"uid":3,"batchUid":3,"indexUid":"films","status":"succeeded","type":"documentAdditionOrUpdate","canceledBy":null,` +
		`"details":{"receivedDocuments":1,"indexedDocuments":1},"error":null,"duration":"PT1.500S","enqueuedAt":"2026-01-02T03:04:05.6Z",` +
		`"startedAt":"2026-01-02T03:04:05.6Z","finishedAt":"2026-01-02T03:04:07.1Z"}`
	const batch = `{"uid":3,"progress":null,"details":{"receivedDocuments":1,"indexedDocuments":1},"stats":{"totalNbTasks":1,"status":{"succeeded":1},` +
		`"types":{"documentAdditionOrUpdate":1},"indexUids":{"films":1},"progressTrace":{"processing tasks":"1.5s"}},"duration":"PT1.500S","startedAt":"2026-01-02T03:04:05.6Z",` +
		`"finishedAt":"2026-01-02T03:04:07.1Z","batchStrategy":"every task is a batch of its own"}`
	for path, want := range map[string]string{
		"/tasks/3": task,
		"/tasks/4": `{"uid":4,"batchUid":null,"indexUid":null,"status":"enqueued","type":"indexSwap","canceledBy":null,"error":null,"duration":null,` +
			`"enqueuedAt":"2026-01-02T03:04:05.6Z","startedAt":null,"finishedAt":null}`,
		"/tasks?limit=1":   `{"results":[` + task + `],"total":9,"limit":1,"from":3,"next":2}`,
		"/batches/3":       batch,
		"/batches":         `{"results":[` + batch + `],"total":9,"limit":20,"from":3,"next":2}`,
		"/_miroir/tasks/3": task[:len(task)-1] + `,"parts":[{"step":9,"kind":"documents","node":"a0","state":"applied","nodeTasks":[12],"error":null}]}`,
	} {
		if r := send(t, s, "GET", path, ""); r.status != 200 || strings.ReplaceAll(r.body, "PT1.5S", "PT1.500S") != want {
			t.Errorf("%s is %d %s", path, r.status, r.body)
		}
	}
}

func TestACanceledTaskBelongsToTheBatchOfItsCancelation(t *testing.T) {
	door := newFakeDoor()
	when, by := door.tasks[3].EnqueuedAt, int64(6)
	door.tasks[5] = &store.Task{UID: 5, IndexUID: "films", Type: api.DocumentAdditionOrUpdate, Status: api.Canceled, CanceledBy: &by,
		Details: json.RawMessage(`{"receivedDocuments":7,"indexedDocuments":0}`), EnqueuedAt: when, StartedAt: when, FinishedAt: when}
	door.tasks[6] = &store.Task{UID: 6, Type: api.TaskCancelation, Status: api.Succeeded, EnqueuedAt: when, StartedAt: when, FinishedAt: when,
		Details: json.RawMessage(`{"matchedTasks":1,"canceledTasks":1,"originalFilter":"?uids=5"}`)}
	door.page = &store.TaskPage{Tasks: []*store.Task{door.tasks[5]}, Total: 1}
	s := start(t, door, nil)
	for path, want := range map[string]string{
		"/tasks/5":   `{"uid":5,"batchUid":6,"indexUid":"films","status":"canceled","type":"documentAdditionOrUpdate","canceledBy":6,`,
		"/batches/6": `"details":{"matchedTasks":1,"canceledTasks":1,"originalFilter":"?uids=5","receivedDocuments":7,"indexedDocuments":0},"stats":{"totalNbTasks":2,"status":{"canceled":1,"succeeded":1},"types":{"documentAdditionOrUpdate":1,"taskCancelation":1},"indexUids":{"films":1},`,
	} {
		if r := send(t, s, "GET", path, ""); r.status != 200 || !strings.Contains(r.body, want) {
			t.Errorf("%s is %d %s", path, r.status, r.body)
		}
	}
	if r := send(t, s, "GET", "/batches/5", ""); r.status != 404 {
		t.Errorf("a batch of a canceled task: %d %s", r.status, r.body)
	}
}

func TestTasksAreCanceledAndDeletedByFilters(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	r := send(t, s, "POST", "/tasks/cancel?statuses=enqueued,processing&indexUids=films", "")
	m, _ := door.writes[0].(*messages.CancelTasks)
	if r.status != 200 || !strings.HasPrefix(r.body, `{"taskUid":7,`) || m == nil || m.Filter != "?statuses=enqueued,processing&indexUids=films" ||
		!reflect.DeepEqual(m.Query.Statuses, []string{"enqueued", "processing"}) || !reflect.DeepEqual(m.Query.IndexUIDs, []string{"films"}) {
		t.Errorf("%d %s: %+v", r.status, r.body, m)
	}
	r = send(t, s, "DELETE", "/tasks?uids=*", "")
	d, _ := door.writes[1].(*messages.DeleteTasks)
	if r.status != 200 || d == nil || d.Filter != "?uids=*" || d.Query == nil || d.Query.UIDs != nil {
		t.Errorf("%d %s: %+v", r.status, r.body, d)
	}
}

func TestTaskQueriesAreTranslated(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	last := func(path string) *store.TaskQuery {
		door.queries = nil
		if r := send(t, s, "GET", path, ""); r.status != 200 {
			t.Errorf("%s is %d %s", path, r.status, r.body)
		}
		if len(door.queries) == 0 {
			return nil
		}
		return door.queries[0]
	}
	q := last("/tasks?limit=5&from=8&reverse=true&uids=1,2&types=indexSwap&statuses=failed&indexUids=films&canceledBy=4&afterEnqueuedAt=2026-01-01")
	if q.Limit != 5 || *q.From != 8 || !q.Reverse || !reflect.DeepEqual(q.UIDs, []int64{1, 2}) || q.Types[0] != "indexSwap" || q.Statuses[0] != "failed" ||
		q.IndexUIDs[0] != "films" || q.CanceledBy[0] != 4 || q.AfterEnqueuedAt.IsZero() || q.AllowedIndexes != nil {
		t.Errorf("query is %+v", q)
	}
	if q = last("/tasks"); q.UIDs != nil || q.Statuses != nil || q.Limit != 20 {
		t.Errorf("query is %+v", q)
	}
	if q = last("/tasks?batchUids=1,3&uids=3,4&statuses=failed"); !reflect.DeepEqual(q.UIDs, []int64{3, 4}) || !reflect.DeepEqual(q.BatchUIDs, []int64{1, 3}) {
		t.Errorf("query is %+v", q)
	}
	if q = last("/batches?statuses=enqueued"); q != nil {
		t.Errorf("a query that can match nothing was asked: %+v", q)
	}
	if q = last("/batches"); !reflect.DeepEqual(q.Statuses, batchStatuses) {
		t.Errorf("query is %+v", q)
	}
}
