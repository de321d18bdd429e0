package embedded

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
)

// waitingNews is how many batches may wait for their webhooks.
const waitingNews = 64

// news is what a batch has to tell the webhooks that there were when it ended.
type news struct {
	hooks map[string]*api.Webhook
	lines []byte
}

// outside is how a node calls others: webhooks and exports. Its calls end when the node stops.
type outside struct {
	client *http.Client
	news   chan news
	ctx    context.Context //nolint:containedctx // of the node's life, not of one call
	cancel context.CancelFunc
}

func newOutside() outside {
	ctx, cancel := context.WithCancel(context.Background())
	return outside{&http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}, make(chan news, waitingNews), ctx, cancel}
}

func (o outside) close() {
	o.cancel()
	o.client.CloseIdleConnections()
}

// post sends a body packed by gzip and returns the answer's status and body.
func (o outside) post(method, to string, headers map[string]string, body []byte) (int, []byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(body); err != nil {
		return 0, nil, err
	}
	if err := z.Close(); err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(o.ctx, method, to, &packed)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Encoding", "gzip")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := o.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, data, err
}

// notify tells the webhooks about the tasks that a batch finished, one task a line. Nobody waits for it: when
// the webhooks are so slow that too many batches wait for them already, this one is dropped.
func (c *core) notify(finished []*record) {
	hooks := c.webhooksByUUID()
	if len(hooks) == 0 {
		return
	}
	var lines bytes.Buffer
	for _, rec := range finished {
		data, err := api.Marshal(rec.task)
		if err != nil {
			c.opt.Logger.WithError(err).Error("embedded node cannot encode a task for its webhooks")
			return
		}
		lines.Write(append(data, '\n'))
	}
	select {
	case c.outside.news <- news{hooks, lines.Bytes()}:
	default:
		c.opt.Logger.WithField("tasks", len(finished)).Warn("embedded node drops what its webhooks are too slow to hear")
	}
}

// tell sends news to the webhooks, one after the other and in order, until the node stops.
func (c *core) tell(o outside) {
	for {
		select {
		case <-o.ctx.Done():
			return
		case n := <-o.news:
			for _, id := range slices.Sorted(maps.Keys(n.hooks)) {
				headers := map[string]string{}
				maps.Copy(headers, n.hooks[id].Headers)
				headers["Content-Type"] = api.ContentTypeNDJSON
				if _, _, err := o.post(http.MethodPost, n.hooks[id].URL, headers, n.lines); err != nil {
					c.opt.Logger.WithError(err).WithField("webhook", id).Warn("embedded node cannot reach a webhook")
				}
			}
		}
	}
}
