package embedded_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
)

const films = `[{"id":1,"title":"Alien","genre":"horror","year":1979},{"id":2,"title":"Aliens","genre":"action","year":1986},` +
	`{"id":3,"title":"Heat","genre":"crime","year":1995}]`

func TestDocumentsAreAddedFoundAndRemoved(t *testing.T) {
	c := start(t, embedded.Options{})
	c.done(c.task("POST", "/indexes/films/documents", films), "succeeded", `{"receivedDocuments":3,"indexedDocuments":3}`)
	c.want("GET", "/indexes/films/documents/2", "", 200, `{"id":2,"title":"Aliens","genre":"action","year":1986}`)
	c.want("GET", "/indexes/films/documents?limit=1&offset=1&fields=title", "", 200, `{"results":[{"title":"Aliens"}],"offset":1,"limit":1,"total":3}`)
	code, body := c.send("POST", "/indexes/films/search", `{"q":"alien","attributesToRetrieve":["id"]}`)
	if code != 200 || !strings.HasPrefix(body, `{"hits":[{"id":1},{"id":2}],"query":"alien","processingTimeMs":`) ||
		!strings.Contains(body, `"limit":20,"offset":0,"estimatedTotalHits":2,"requestUid":"`) {
		t.Errorf("search: %d %s", code, body)
	}
	c.done(c.task("PUT", "/indexes/films/documents", `[{"id":1,"year":1980}]`), "succeeded", "")
	c.want("GET", "/indexes/films/documents/1", "", 200, `{"id":1,"title":"Alien","genre":"horror","year":1980}`)
	c.done(c.task("DELETE", "/indexes/films/documents/1", ""), "succeeded", `{"providedIds":1,"deletedDocuments":1,"originalFilter":null}`)
	c.done(c.task("POST", "/indexes/films/documents/delete-batch", `[2,"9"]`), "succeeded",
		`{"providedIds":2,"deletedDocuments":1,"originalFilter":null}`)
	c.want("GET", "/indexes/films/documents/1", "", 404, `{"message":"Document `+"`1`"+` not found.","code":"document_not_found",`+
		`"type":"invalid_request","link":"https://docs.meilisearch.com/errors#document_not_found"}`)
	c.done(c.task("DELETE", "/indexes/films/documents", ""), "succeeded", `{"deletedDocuments":1}`)
}

func TestWritesThatCannotBeDoneFailTheTask(t *testing.T) {
	c := start(t, embedded.Options{})
	c.failed(c.task("DELETE", "/indexes/none/documents/1", ""), "index_not_found", "Index `none` not found.")
	c.failed(c.task("DELETE", "/indexes/none", ""), "index_not_found", "Index `none` not found.")
	c.failed(c.task("POST", "/indexes/a/documents", `[{"title":"x"}]`), "index_primary_key_no_candidate_found",
		"The primary key inference failed as the engine did not find any field ending with `id` in its name. Please specify the primary key manually using the `primaryKey` query parameter.")
	c.failed(c.task("POST", "/indexes/a/documents", `[{"id":1},{"id":"a b"}]`), "invalid_document_id",
		"Document identifier `\"a b\"` is invalid. A document identifier can be of type integer or string, only composed of alphanumeric characters (a-z A-Z 0-9), hyphens (-) and underscores (_), and can not be more than 511 bytes.")
	c.done(c.task("POST", "/indexes/a/documents", `[{"id":1}]`), "succeeded", "")
	c.failed(c.task("POST", "/indexes/a/documents?primaryKey=sku", `[{"sku":1}]`), "index_primary_key_already_exists",
		"Index already has a primary key: `id`.")
	bad := c.task("POST", "/indexes/a/documents", `[{"id":2},{"no":1}]`)
	c.failed(bad, "missing_document_id", "Document doesn't have a `id` attribute: `{\"no\":1}`.")
	c.done(bad, "failed", `{"receivedDocuments":2,"indexedDocuments":0}`)
	c.want("GET", "/indexes/a/documents", "", 200, `{"results":[{"id":1}],"offset":0,"limit":20,"total":1}`)
	c.failed(c.task("POST", "/indexes/a/documents/delete", `{"filter":"x = 1"}`), "invalid_document_filter",
		"Index `a`: Attribute `x` is not filterable. This index does not have configured filterable attributes.\n1:2 x = 1")
}

func TestDocumentsOfAProxyKeepItsFields(t *testing.T) {
	c := start(t, embedded.Options{})
	for _, body := range []string{`[{"id":1,"_miroir_shard":";,"},{"id":"1","_miroir_shard":"!?"}]`, `{"id":2,"_miroir_shard":";,"}`} {
		c.done(c.task("POST", "/indexes/a/documents", body), "succeeded", "")
	}
	nd := "{\"id\":3,\"_miroir_shard\":\"!!\"}\n{\"id\":4,\"_miroir_shard\":\"!?\"}\n"
	c.done(c.task("POST", "/indexes/a/documents", nd, "Content-Type", "application/x-ndjson"), "succeeded", `{"receivedDocuments":2,"indexedDocuments":2}`)
	c.failed(c.task("POST", "/indexes/a/documents", `[{"_miroir_shard":";"}]`), "missing_document_id",
		"Document doesn't have a `id` attribute: `{\"_miroir_shard\":\";\"}`.")
	c.done(c.task("PUT", "/indexes/a/settings/filterable-attributes", `["_miroir_shard"]`), "succeeded", "")
	c.want("GET", "/indexes/a/documents?filter=_miroir_shard%20IN%20%5B%22!%3F%22%5D&fields=id", "", 200,
		`{"results":[{"id":"1"},{"id":4}],"offset":0,"limit":20,"total":2}`)
}

func TestBadRequestsAreRefusedAtOnce(t *testing.T) {
	c := start(t, embedded.Options{MaxPayload: 1 << 20})
	tests := map[string]struct {
		method, path, body string
		status             int
		code, message      string
	}{
		"a search on a missing index": {"POST", "/indexes/no/search", `{}`, 404, "index_not_found", "Index `no` not found."},
		"a multi-search on a missing index": {"POST", "/multi-search", `{"queries":[{"indexUid":"no"}]}`, 400, "index_not_found",
			"Inside `.queries[0]`: Index `no` not found."},
		"an index uid with a slash in it": {"GET", "/indexes/a%2Fb", "", 400, "invalid_index_uid",
			"`a/b` is not a valid index uid. Index uid can be an integer or a string containing only alphanumeric characters, hyphens (-) and underscores (_), and can not be more than 512 bytes."},
		"malformed documents": {"POST", "/indexes/a/documents", `{"id":`, 400, "malformed_payload", ""},
		"no documents at all": {"POST", "/indexes/a/documents", ` `, 400, "", ""},
		"a body over the limit": {"POST", "/indexes/a/documents", `[{"id":"` + strings.Repeat("x", 1<<20) + `"}]`, 413, "payload_too_large",
			"The provided payload reached the size limit. The maximum accepted payload size is 1 MiB."},
		"an empty filter": {"POST", "/indexes/a/documents/delete", `{"filter":""}`, 400, "invalid_document_filter", "Sending an empty filter is forbidden."},
		"no filter":       {"POST", "/indexes/a/documents/delete", `{}`, 400, "missing_document_filter", "Missing field `filter`"},
		"a task uid that is no number": {"GET", "/tasks/x", "", 400, "invalid_task_uids",
			"Task uid `x` is invalid. It should only contain numeric characters."},
		"an unknown task":       {"GET", "/tasks/77", "", 404, "task_not_found", "Task `77` not found."},
		"cancelling everything": {"POST", "/tasks/cancel", "", 400, "missing_task_filters", ""},
		"keys without a master key": {"GET", "/keys", "", 401, "missing_master_key",
			"Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at launch."},
		"an index without a uid": {"POST", "/indexes", `{"primaryKey":"id"}`, 400, "missing_index_uid", "Missing field `uid`"},
		"an immutable field":     {"PATCH", "/indexes/a", `{"createdAt":1}`, 400, "immutable_index_created_at", "Immutable field `createdAt`: expected one of `primaryKey`, `uid`"},
		"a feature that is off": {"GET", "/metrics", "", 400, "feature_not_enabled", "Getting metrics requires enabling the `metrics` " +
			"experimental feature. See https://github.com/meilisearch/product/discussions/625"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			code, body := c.send(tc.method, tc.path, tc.body)
			var e struct{ Code, Message string }
			_ = json.Unmarshal([]byte(body), &e)
			if code != tc.status || tc.code != "" && e.Code != tc.code || tc.message != "" && e.Message != tc.message {
				t.Errorf("got %d %s", code, body)
			}
		})
	}
	c.want("GET", "/nothing", "", 404, "")
	c.want("DELETE", "/health", "", 405, "")
	c.want("GET", "/health/", "", 200, `{"status":"available"}`)
}

func TestSettingsAreStoredAndShown(t *testing.T) {
	c := start(t, embedded.Options{})
	c.done(c.task("PATCH", "/indexes/a/settings", `{"searchableAttributes":["title"],"stopWords":["the"]}`), "succeeded",
		`{"searchableAttributes":["title"],"stopWords":["the"]}`)
	c.want("GET", "/indexes/a/settings/stop-words", "", 200, `["the"]`)
	c.want("GET", "/indexes/a/settings/distinct-attribute", "", 200, `null`)
	c.done(c.task("PUT", "/indexes/a/settings/distinct-attribute", `"sku"`), "succeeded", `{"distinctAttribute":"sku"}`)
	c.want("GET", "/indexes/a/settings/distinct-attribute", "", 200, `"sku"`)
	c.done(c.task("DELETE", "/indexes/a/settings/stop-words", ""), "succeeded", `{"stopWords":null}`)
	c.want("GET", "/indexes/a/settings/stop-words", "", 200, `[]`)
	c.want("POST", "/indexes/a/settings/stop-words", `[]`, 405, "")
	c.failed(c.task("DELETE", "/indexes/b/settings", ""), "index_not_found", "Index `b` not found.")
}

func TestIndexesAreMadeRenamedSwappedAndDeleted(t *testing.T) {
	c := start(t, embedded.Options{})
	c.done(c.task("POST", "/indexes", `{"uid":"a","primaryKey":"id"}`), "succeeded", `{"primaryKey":"id"}`)
	c.failed(c.task("POST", "/indexes", `{"uid":"a"}`), "index_already_exists", "Index `a` already exists.")
	c.task("POST", "/indexes/a/documents", `[{"id":1}]`)
	c.task("POST", "/indexes/b/documents", `[{"id":2}]`)
	c.done(c.task("POST", "/swap-indexes", `[{"indexes":["a","b"]}]`), "succeeded", `{"swaps":[{"indexes":["a","b"],"rename":false}]}`)
	c.want("GET", "/indexes/a/documents/2", "", 200, `{"id":2}`)
	c.done(c.task("PATCH", "/indexes/a", `{"uid":"c"}`), "succeeded", `{"primaryKey":null,"oldIndexUid":"a","newIndexUid":"c"}`)
	c.want("GET", "/indexes/c/documents/2", "", 200, `{"id":2}`)
	c.want("GET", "/indexes/a", "", 404, "")
	c.failed(c.task("POST", "/swap-indexes", `[{"indexes":["x","y"]}]`), "index_not_found", "Indexes `x`, `y` not found.")
	c.done(c.task("DELETE", "/indexes/c", ""), "succeeded", `{"deletedDocuments":1}`)
	code, body := c.send("GET", "/indexes", "")
	if code != 200 || !strings.Contains(body, `"total":1`) || !strings.Contains(body, `"uid":"b"`) {
		t.Errorf("indexes: %s", body)
	}
}

func TestTasksWaitAreCancelledAndDeleted(t *testing.T) {
	c := start(t, embedded.Options{})
	c.node.PauseTasks()
	c.send("POST", "/indexes/a/documents", `[{"id":1}]`)
	c.send("POST", "/indexes/a/documents", `[{"id":2}]`)
	if got := c.readTask(1); got.Status != "enqueued" || got.BatchUID != nil {
		t.Errorf("paused task is %+v", got)
	}
	code, body := c.send("POST", "/tasks/cancel?uids=1", "")
	if code != 200 || !strings.HasPrefix(body, `{"taskUid":2,"indexUid":null,"status":"enqueued","type":"taskCancelation","enqueuedAt":"`) {
		t.Errorf("cancel: %d %s", code, body)
	}
	c.node.ResumeTasks()
	c.idle()
	c.done(c.readTask(0), "succeeded", "")
	c.done(c.readTask(1), "canceled", `{"receivedDocuments":1,"indexedDocuments":0}`)
	c.done(c.readTask(2), "succeeded", `{"matchedTasks":1,"canceledTasks":1,"originalFilter":"?uids=1"}`)
	c.done(c.task("DELETE", "/tasks?uids=0,1", ""), "succeeded", `{"matchedTasks":2,"deletedTasks":2,"originalFilter":"?uids=0,1"}`)
	c.want("GET", "/tasks/0", "", 404, "")
	_, body = c.send("GET", "/tasks?limit=1", "")
	if !strings.Contains(body, `"total":2,"limit":1,"from":3,"next":2}`) {
		t.Errorf("tasks: %s", body)
	}
	_, body = c.send("GET", "/batches?uids=3", "")
	if !strings.Contains(body, `"stats":{"totalNbTasks":1,"status":{"succeeded":1},"types":{"taskDeletion":1},"indexUids":{}}`) {
		t.Errorf("batches: %s", body)
	}
}
