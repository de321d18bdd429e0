package actors

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// maxPart is how large a body for a node may be: a little under the 100 MB that
// a node takes by default.
const maxPart = 95 << 20

// calls lists what has to be sent to a node to carry out an entry, in order.
// The list is the same each time it is made. release gives the payload back.
func (c *Cluster) calls(e *entry, h *nodeHandle) (calls []*nodeclient.Request, release func(), err error) {
	release = func() {}
	path := "/indexes/" + e.row.IndexID
	switch e.row.Kind {
	case kindCreateIndex:
		body := map[string]any{"uid": e.row.IndexID}
		if e.p.PrimaryKey != "" {
			body["primaryKey"] = e.p.PrimaryKey
		}
		create, err := json.Marshal(body)
		if err != nil {
			return nil, release, fmt.Errorf("create index: %w", err)
		}
		calls = []*nodeclient.Request{
			jsonCall(http.MethodPost, "/indexes", create),
			jsonCall(http.MethodPatch, path+"/settings", e.p.NodeSettings),
		}
	case kindUpdateIndex:
		body, err := json.Marshal(map[string]string{"primaryKey": e.p.PrimaryKey})
		if err != nil {
			return nil, release, fmt.Errorf("update index: %w", err)
		}
		calls = []*nodeclient.Request{jsonCall(http.MethodPatch, path, body)}
	case kindDeleteIndex:
		calls = []*nodeclient.Request{{Method: http.MethodDelete, Path: path}}
	case kindSettings:
		calls = []*nodeclient.Request{jsonCall(http.MethodPatch, path+"/settings", e.p.NodeSettings)}
	case kindDump:
		calls = []*nodeclient.Request{{Method: http.MethodPost, Path: "/dumps"}}
	case kindSnapshot:
		calls = []*nodeclient.Request{{Method: http.MethodPost, Path: "/snapshots"}}
	case kindRemoveLeftovers:
		calls = []*nodeclient.Request{leftoverCall(e, h)}
	case kindClear:
		calls = []*nodeclient.Request{{Method: http.MethodDelete, Path: path + "/documents"}}
	case kindDeleteByFilter:
		calls = []*nodeclient.Request{jsonCall(http.MethodPost, path+"/documents/delete", append(append([]byte(`{"filter":`), e.p.Filter...), '}'))}
	case kindTryEdit, kindEdit:
		call, err := c.editCall(e)
		if err != nil {
			return nil, release, err
		}
		calls = []*nodeclient.Request{call}
	case kindCompact:
		calls = []*nodeclient.Request{{Method: http.MethodPost, Path: path + "/compact"}}
	case kindAddDocuments, kindDeleteByID:
		docs, err := c.loadDocuments(e)
		if err != nil {
			return nil, release, err
		}
		return docs.calls(e, h), release, nil
	default:
		return nil, release, fmt.Errorf("entry %d is of unknown kind %q", e.row.LSN, e.row.Kind)
	}
	return calls, release, nil
}

func jsonCall(method, path string, body []byte) *nodeclient.Request {
	return &nodeclient.Request{Method: method, Path: path, ContentType: "application/json", Body: body}
}

// calls cuts the documents that belong to a node into bodies for it.
func (d *documents) calls(e *entry, h *nodeHandle) []*nodeclient.Request {
	held := e.table.Held(h.index)
	path := "/indexes/" + e.row.IndexID + "/documents"
	if d.batch == nil {
		return []*nodeclient.Request{jsonCall(http.MethodPost, path+"/delete-batch", d.deleteBody(held))}
	}
	mine := make([]int32, 0, len(d.shards))
	for i, s := range d.shards {
		if held.Has(int(s)) {
			mine = append(mine, int32(i)) //nolint:gosec // a batch has fewer than 2^31 documents
		}
	}
	inject := func(dst []byte, doc int) []byte {
		return topology.AppendInjected(dst, int(d.shards[doc]), d.seq(doc))
	}
	query := "?primaryKey=" + url.QueryEscape(e.p.PrimaryKey)
	if e.p.SkipCreation {
		query += "&skipCreation=true"
	}
	if h.version.Load().knowsCustomMetadata() {
		query += fmt.Sprintf("&customMetadata=miroir-%d", e.row.LSN)
	}
	method := http.MethodPost
	if e.p.Update {
		method = http.MethodPut
	}
	var calls []*nodeclient.Request
	for _, part := range d.batch.Chunk(mine, topology.InjectedLen, maxPart) {
		calls = append(calls, &nodeclient.Request{
			Method: method, Path: path + query, ContentType: "application/x-ndjson",
			Stream: stream{d.batch.NewBody(part, topology.InjectedLen, inject)},
		})
	}
	if e.p.SkipCreation && !e.p.Update && len(calls) > 0 {
		// A node that does this together with the write that makes a document takes the
		// document for missing, and loses both: no batch goes over a settings change.
		calls = append([]*nodeclient.Request{jsonCall(http.MethodPatch, "/indexes/"+e.row.IndexID+"/settings", []byte("{}"))}, calls...)
	}
	return calls
}

// stream lets a payload.Body be sent, and sent again.
type stream struct{ b *payload.Body }

func (s stream) Open() io.Reader { s.b.Reset(); return s.b }
func (s stream) Len() int64      { return s.b.Len() }

func (d *documents) deleteBody(held topology.ShardSet) []byte {
	body := []byte{'['}
	for i, s := range d.shards {
		if !held.Has(int(s)) {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = rawjson.AppendString(body, d.ids[i])
	}
	return append(body, ']')
}

// loadDocuments gives the documents of an entry, from memory or from the journal.
func (c *Cluster) loadDocuments(e *entry) (*documents, error) {
	if d := e.docs.Load(); d != nil {
		return d, nil
	}
	if e.row.Kind == kindAddDocuments && e.row.Payload.Length >= spooledFrom && formatOf(e.p.Format) != payload.CSV {
		return c.loadLarge(e)
	}
	raw, release, err := c.store.Journal().Read(e.row.Payload)
	if err != nil {
		return nil, fmt.Errorf("read the payload of entry %d: %w", e.row.LSN, err)
	}
	data := append([]byte(nil), raw...)
	release()
	if e.row.Kind == kindDeleteByID {
		var ids []string
		if err := json.Unmarshal(data, &ids); err != nil {
			return nil, fmt.Errorf("read the payload of entry %d: %w", e.row.LSN, err)
		}
		d, _ := newDeletion(ids, e.table.Shards())
		return d, nil
	}
	batch, err := payload.Parse(data, formatOf(e.p.Format), payload.Options{Delimiter: e.p.Delimiter, PrimaryKey: e.p.PrimaryKey})
	if err == nil {
		err = batch.ResolveIDs(e.p.PrimaryKey)
	}
	if err != nil {
		return nil, fmt.Errorf("read the payload of entry %d: %w", e.row.LSN, err)
	}
	d, _ := newDocuments(batch, e.table.Shards())
	return d, c.loadSeqs(e, d)
}

// loadSeqs reads the insertion numbers that were given to an entry's documents.
func (c *Cluster) loadSeqs(e *entry, d *documents) error {
	d.base = e.p.SeqBase
	if e.row.Seqs.IsZero() {
		return nil
	}
	raw, release, err := c.store.Journal().Read(e.row.Seqs)
	if err != nil {
		return fmt.Errorf("read the insertion numbers of entry %d: %w", e.row.LSN, err)
	}
	defer release()
	if len(raw) != 8*len(d.shards) {
		return fmt.Errorf("read the insertion numbers of entry %d: %d bytes for %d documents", e.row.LSN, len(raw), len(d.shards))
	}
	d.seqs = decodeSeqs(raw)
	return nil
}

func formatOf(name string) payload.Format {
	switch name {
	case payload.NDJSON.String():
		return payload.NDJSON
	case payload.CSV.String():
		return payload.CSV
	}
	return payload.JSON
}
