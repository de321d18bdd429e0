package tests

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

// taskHistory are writes of every kind, some of which fail. They are sent one after
// the other, so that each is a batch of its own on a node too.
var taskHistory = []apiCall{
	{method: "POST", path: "/indexes", body: `{"uid":"films","primaryKey":"id"}`},
	{method: "POST", path: "/indexes", body: `{"uid":"films"}`},
	{method: "POST", path: "/indexes/films/documents", body: `[{"id":1,"t":"a"},{"id":2,"t":"b"},{"id":2,"t":"c"}]`},
	{method: "PUT", path: "/indexes/films/documents?customMetadata=mine", body: `[{"id":1,"n":1},{"id":3,"n":3}]`},
	{method: "POST", path: "/indexes/people/documents", body: `[{"uid":"x"},{"uid":"y z"}]`},
	{method: "POST", path: "/indexes/people/documents", body: `[{"uid":"x"},{"uid":"y"}]`},
	{method: "PATCH", path: "/indexes/films/settings", body: `{"filterableAttributes":["n"],"stopWords":["the"]}`},
	{method: "DELETE", path: "/indexes/films/settings/stop-words"},
	{method: "POST", path: "/indexes/films/documents/delete-batch", body: `[1,7]`},
	{method: "POST", path: "/indexes/films/documents/delete", body: `{"filter":"n = 3"}`},
	{method: "POST", path: "/indexes/films/documents/delete", body: `{"filter":"zzz = 3"}`},
	{method: "DELETE", path: "/indexes/films/documents/2"},
	{method: "DELETE", path: "/indexes/people/documents"},
	{method: "DELETE", path: "/indexes/nobody"},
	{method: "POST", path: "/indexes", body: `{"uid":"empty"}`},
	{method: "PATCH", path: "/indexes/empty", body: `{"primaryKey":"name"}`},
	{method: "PATCH", path: "/indexes/people", body: `{"uid":"persons"}`},
	{method: "POST", path: "/swap-indexes", body: `[{"indexes":["films","persons"]}]`},
	{method: "POST", path: "/swap-indexes", body: `[{"indexes":["films","nobody"]}]`},
	{method: "DELETE", path: "/indexes/films"},
}

// taskQuestions ask for tasks and batches by every parameter, and cancel and delete.
var taskQuestions = []string{
	"GET /tasks", "GET /tasks?limit=3", "GET /tasks?limit=0", "GET /tasks?limit=1000", "GET /tasks?from=5&limit=2", "GET /tasks?from=5&limit=2&reverse=true",
	"GET /tasks?reverse=true&limit=4", "GET /tasks?from=99", "GET /tasks?from=99&reverse=true", "GET /tasks?reverse=false&limit=1", "GET /tasks?limit=",
	"GET /tasks?uids=1,3,5", "GET /tasks?uids=*", "GET /tasks?uids=", "GET /tasks?uids=1,x", "GET /tasks?uids=99", "GET /tasks?uids=-1", "GET /tasks?uids=1,*",
	"GET /tasks?batchUids=1,3,5", "GET /tasks?batchUids=*", "GET /tasks?batchUids=99", "GET /tasks?batchUids=1,3&uids=3,4", "GET /tasks?batchUids=x",
	"GET /tasks?canceledBy=1", "GET /tasks?canceledBy=*", "GET /tasks?canceledBy=x", "GET /tasks?canceledBy=1,2&statuses=succeeded",
	"GET /tasks?statuses=failed", "GET /tasks?statuses=succeeded,failed&types=indexCreation", "GET /tasks?statuses=*", "GET /tasks?statuses=Failed", "GET /tasks?statuses=done,failed",
	"GET /tasks?statuses=enqueued,processing", "GET /tasks?statuses=canceled",
	"GET /tasks?types=documentAdditionOrUpdate", "GET /tasks?types=DOCUMENTDELETION,settingsUpdate", "GET /tasks?types=nope", "GET /tasks?types=*&limit=2", "GET /tasks?types=taskCancelation,taskDeletion",
	"GET /tasks?indexUids=nobody", "GET /tasks?indexUids=persons&types=documentDeletion", "GET /tasks?indexUids=a%20b", "GET /tasks?indexUids=*&limit=2",
	"GET /tasks?afterEnqueuedAt=2020-01-01&limit=1", "GET /tasks?beforeEnqueuedAt=2020-01-01", "GET /tasks?afterEnqueuedAt=2020-01-01T00:00:00Z&limit=1",
	"GET /tasks?afterStartedAt=2020-01-01&beforeFinishedAt=2090-01-01&limit=2&statuses=failed", "GET /tasks?afterFinishedAt=2090-01-01", "GET /tasks?beforeStartedAt=*&limit=1",
	"GET /tasks?afterEnqueuedAt=nope", "GET /tasks?beforeFinishedAt=2020-13-01", "GET /tasks?afterStartedAt=2020-01-01T00:00", "GET /tasks?nope=1", "GET /tasks?limit=x", "GET /tasks?from=x", "GET /tasks?reverse=x",
	"GET /tasks/0", "GET /tasks/4", "GET /tasks/99999", "GET /tasks/x", "GET /tasks/-1",
	"GET /batches", "GET /batches?limit=3", "GET /batches?limit=3&from=7", "GET /batches?limit=3&from=7&reverse=true", "GET /batches?statuses=failed", "GET /batches?statuses=enqueued",
	"GET /batches?uids=1,2", "GET /batches?batchUids=1,2", "GET /batches?types=indexSwap", "GET /batches?types=settingsUpdate,indexDeletion", "GET /batches?canceledBy=1", "GET /batches?afterFinishedAt=2020-01-01&limit=1",
	"GET /batches?uids=x", "GET /batches?limit=x", "GET /batches?nope=1",
	"GET /batches/0", "GET /batches/1", "GET /batches/6", "GET /batches/9", "GET /batches/14", "GET /batches/16", "GET /batches/99999", "GET /batches/x",
	"POST /tasks/cancel", "POST /tasks/cancel?uids=x", "POST /tasks/cancel?limit=1", "POST /tasks/cancel?from=1", "POST /tasks/cancel?reverse=true", "POST /tasks/cancel?nope=1", "POST /tasks/cancel?statuses=nope",
	"POST /tasks/cancel?afterEnqueuedAt=nope", "POST /tasks/cancel?indexUids=a%20b", "POST /tasks/cancel?",
	"POST /tasks/cancel?uids=1", "POST /tasks/cancel?statuses=enqueued,processing", "POST /tasks/cancel?uids=*", "POST /tasks/cancel?batchUids=3,4&types=*", "POST /tasks/cancel?uids=1,99",
	"POST /tasks/cancel?beforeEnqueuedAt=2020-01-01", "POST /tasks/cancel?canceledBy=3", "POST /tasks/cancel?indexUids=empty,nobody", "GET /tasks?types=taskCancelation",
	"DELETE /tasks", "DELETE /tasks?", "DELETE /tasks?uids=x", "DELETE /tasks?limit=1", "DELETE /tasks?statuses=nope", "DELETE /tasks?canceledBy=x",
	"DELETE /tasks?uids=2,3", "DELETE /tasks?uids=2,3", "GET /tasks/2", "GET /batches/2", "GET /tasks?uids=1,2,3,4", "DELETE /tasks?statuses=failed&types=indexSwap,indexCreation", "DELETE /tasks?batchUids=8",
	"DELETE /tasks?beforeEnqueuedAt=2020-01-01", "DELETE /tasks?statuses=enqueued,processing", "GET /tasks?limit=100&statuses=failed", "GET /tasks?types=taskDeletion&limit=3",
	"DELETE /tasks?uids=*", "GET /tasks", "GET /batches?limit=3", "GET /tasks?limit=1&reverse=true",
}

// realTaskQuestions are those that an embedded node answers otherwise than a real one:
// about swaps and renamings by the names in them.
var realTaskQuestions = []string{
	"GET /batches?indexUids=nobody", "GET /batches?indexUids=persons&types=indexSwap", "POST /tasks/cancel?indexUids=persons,nobody",
	"GET /tasks?indexUids=persons", "GET /tasks?indexUids=films,people", "GET /tasks?indexUids=people&types=indexUpdate", "DELETE /tasks?indexUids=films&types=indexSwap",
}

// The history of tasks of a fleet is that of one node, for every filter and parameter,
// and so are the errors. The node is a real one when MEILISEARCH_BIN names it.
func TestTasksOfAFleetAreThoseOfOneNode(t *testing.T) {
	node := &apiServer{API: fleet.StartNode(t, "one", os.Getenv("MEILISEARCH_BIN")).API}
	miroir := &apiServer{API: fleet.Start(t, fleet.Options{Groups: 2, PerGroup: 1}).Proxy.API}
	calls := slices.Clone(taskHistory)
	questions := taskQuestions
	if os.Getenv("MEILISEARCH_BIN") != "" {
		questions = append(slices.Clone(realTaskQuestions), taskQuestions...)
	}
	for _, q := range questions {
		method, path, _ := strings.Cut(q, " ")
		calls = append(calls, apiCall{method: method, path: path})
	}
	if os.Getenv("MEILISEARCH_BIN")+os.Getenv("MIROIR_LONG") != "" {
		for _, c := range generatedCalls() {
			if strings.HasPrefix(c.path, "/tasks") || strings.HasPrefix(c.path, "/batches") {
				calls = append(calls, c)
			}
		}
	}
	used := map[string]int{}
	count := func(name string) { used[name]++ }
	loose := append(slices.Clone(apiLoosenings), pathLoosening("batch-names", `^(results\[\d+\]\.)?stats\.indexUids\.`))
	for _, c := range calls {
		want, wantTask := node.send(t, c)
		got, gotTask := miroir.send(t, c)
		found := differences(got, want, count, loose)
		for _, d := range taskDifferences(gotTask, wantTask, count, loose) {
			found = append(found, "task: "+d)
		}
		if len(found) > 0 {
			t.Errorf("%s\n  node:   %d %s %s\n  miroir: %d %s %s\n  %s", c, want.Status, head(want.Body), head(wantTask), got.Status, head(got.Body), head(gotTask), strings.Join(found, "\n  "))
		}
	}
	t.Logf("%d calls; loosenings used: %v", len(calls), used)
}
