package actors

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// everything is a limit beyond any list of documents.
const everything = 1 << 31

// storedID is a document of a node: its id and its insertion number, 0 when it has
// none.
type storedID struct {
	id  string
	seq uint64
}

// fetchBody makes the body of POST documents/fetch; more are further members.
func fetchBody(limit int, more string) []byte {
	return append(strconv.AppendInt([]byte(`{"limit":`), int64(limit), 10), more+"}"...)
}

// shardClause is the filter that keeps the documents of some shards.
func shardClause(set topology.ShardSet) string {
	return `,"filter":` + string(rawjson.AppendString(nil, topology.AppendFilter(nil, set)))
}

// strayClause is the filter that keeps the documents that Miroir did not write.
const strayClause = `,"filter":"` + topology.ShardField + ` NOT EXISTS"`

// fetchDocuments asks a node for stored documents. An index that is not there is an
// error: a copy that lacks it is no copy.
func (c *Cluster) fetchDocuments(ctx context.Context, n topology.NodeIndex, indexID string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.WriteCallTimeout)
	defer cancel()
	resp, err := c.ask(ctx, c.nodes[n], &nodeclient.Request{
		Method: http.MethodPost, Path: "/indexes/" + indexID + "/documents/fetch", ContentType: "application/json", Body: body, Idempotent: true,
	})
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", c.nodes[n].node.ID, err)
	}
	return resp.Body, nil
}

// countDocuments asks a node how many documents meet a filter.
func (c *Cluster) countDocuments(ctx context.Context, n topology.NodeIndex, indexID, clause string) (int64, error) {
	body, err := c.fetchDocuments(ctx, n, indexID, fetchBody(0, clause))
	if err != nil {
		return 0, err
	}
	total, ok := rawjson.Get(body, "total")
	count, isInt := rawjson.ParseInt(total)
	if !ok || !isInt {
		return 0, fmt.Errorf("node %s: its answer has no total: %.100s", c.nodes[n].node.ID, body)
	}
	return count, nil
}

// eachStored calls f for every document of an answer.
func eachStored(body []byte, f func(doc []byte) error) error {
	results, ok := rawjson.Get(body, "results")
	if !ok {
		return fmt.Errorf("the answer has no results: %.100s", body)
	}
	var bad error
	err := rawjson.EachElement(results, func(doc []byte) bool {
		bad = f(doc)
		return bad == nil
	})
	if bad == nil {
		bad = err
	}
	return bad
}

// fetchIDs lists the ids of a node's documents that meet a filter, as of one moment.
func (c *Cluster) fetchIDs(ctx context.Context, n topology.NodeIndex, indexID, pk, clause string) ([]storedID, error) {
	more := `,"fields":["` + topology.SeqField + `",` + string(rawjson.AppendString(nil, pk)) + `]` + clause
	body, err := c.fetchDocuments(ctx, n, indexID, fetchBody(everything, more))
	if err != nil {
		return nil, err
	}
	var out []storedID
	err = eachStored(body, func(doc []byte) error {
		id, seq, err := readSeq(doc, pk)
		if err != nil {
			if id, err = payload.DocumentID(doc, pk); err != nil {
				return fmt.Errorf("node %s: read an id: %w", c.nodes[n].node.ID, err)
			}
			seq = 0
		}
		out = append(out, storedID{id, seq})
		return nil
	})
	return out, err
}

// fetchByID reads documents with their vectors, by id. Those that do not exist are
// left out.
func (c *Cluster) fetchByID(ctx context.Context, n topology.NodeIndex, indexID, pk string, ids []string) (docs map[string][]byte, size int, err error) {
	more := []byte(`,"retrieveVectors":true,"ids":[`)
	for i, id := range ids {
		if i > 0 {
			more = append(more, ',')
		}
		more = rawjson.AppendString(more, id)
	}
	body, err := c.fetchDocuments(ctx, n, indexID, fetchBody(len(ids), string(append(more, ']'))))
	if err != nil {
		return nil, 0, err
	}
	docs = make(map[string][]byte, len(ids))
	err = eachStored(body, func(doc []byte) error {
		id, err := payload.DocumentID(doc, pk)
		if err != nil {
			return fmt.Errorf("node %s: read an id: %w", c.nodes[n].node.ID, err)
		}
		docs[id] = doc
		return nil
	})
	return docs, len(body), err
}
