// The same consumer with franz-go, as one would write it by hand: at least once with a flush and a
// commit for each batch, exactly once with a transaction for each.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/bytedance/sonic"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Task is what this process is asked to do; see benchmarks/processes.py.
type Task struct {
	Broker    string `json:"broker"`
	Input     string `json:"input"`
	Output    string `json:"output"`
	Group     string `json:"group"`
	Delivery  string `json:"delivery"`
	Exported  string `json:"exported"`
	BatchSize int    `json:"batch_size"`
	Warmup    int    `json:"warmup"`
	Events    int    `json:"events"`
}

func main() {
	log.SetFlags(0)
	var task Task
	orDie(json.Unmarshal([]byte(os.Args[1]), &task))
	peer := &peer{task: task, model: readModel(task.Exported)}
	peer.meter = newMeter(task.Warmup, task.Events)
	waitForGo()
	if task.Delivery == "exactly-once" {
		peer.exactlyOnce(context.Background())
	} else {
		peer.atLeastOnce(context.Background())
	}
	peer.meter.report()
}

type peer struct {
	task  Task
	model *Model
	meter *Meter
}

func (p *peer) options(more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(p.task.Broker),
		kgo.ConsumerGroup(p.task.Group),
		kgo.ConsumeTopics(p.task.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DefaultProduceTopic(p.task.Output),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(100_000),
	}, more...)
}

func (p *peer) atLeastOnce(ctx context.Context) {
	client, err := kgo.NewClient(p.options(kgo.DisableAutoCommit())...)
	orDie(err)
	for done := false; !done; {
		fetches := client.PollRecords(ctx, p.task.BatchSize)
		orDie(fetches.Err())
		p.produce(ctx, fetches, client.Produce)
		orDie(client.Flush(ctx))
		orDie(client.CommitUncommittedOffsets(ctx))
		done = p.meter.add(fetches.NumRecords())
	}
	client.Close()
}

func (p *peer) exactlyOnce(ctx context.Context) {
	session, err := kgo.NewGroupTransactSession(p.options(
		kgo.TransactionalID(p.task.Group), kgo.RequireStableFetchOffsets())...)
	orDie(err)
	for done := false; !done; {
		fetches := session.PollRecords(ctx, p.task.BatchSize)
		orDie(fetches.Err())
		orDie(session.Begin())
		p.produce(ctx, fetches, session.Produce)
		// End flushes first; a batch that was rolled back comes again.
		committed, err := session.End(ctx, kgo.TryCommit)
		orDie(err)
		if committed {
			done = p.meter.add(fetches.NumRecords())
		}
	}
	session.Close()
}

type produce func(context.Context, *kgo.Record, func(*kgo.Record, error))

func (p *peer) produce(ctx context.Context, fetches kgo.Fetches, send produce) {
	now := time.Now().UTC()
	fetches.EachRecord(func(event *kgo.Record) {
		value := p.prediction(event, now)
		send(ctx, &kgo.Record{Key: event.Key, Value: value}, func(_ *kgo.Record, err error) {
			orDie(err)
		})
	})
}

// Prediction is what comes of an event.
type Prediction struct {
	CustomerID       string    `json:"customerID"`
	ChurnProbability float64   `json:"churn_probability"`
	Prediction       string    `json:"prediction"`
	EventTs          string    `json:"event_ts"`
	ProcessedTs      time.Time `json:"processed_ts"`
	ModelVersion     string    `json:"model_version"`
	SourcePartition  int32     `json:"source_partition"`
	SourceOffset     int64     `json:"source_offset"`
}

func (p *peer) prediction(record *kgo.Record, now time.Time) []byte {
	event := newEvent()
	orDie(sonic.Unmarshal(record.Value, &event))
	probability := p.model.probability(&event)
	answer := "No"
	if probability >= p.model.Threshold {
		answer = "Yes"
	}
	value, err := sonic.Marshal(&Prediction{
		event.CustomerID, probability, answer, event.EventTs, now,
		p.model.Version, record.Partition, record.Offset,
	})
	orDie(err)
	return value
}

func orDie(err error) {
	if err != nil {
		log.Fatal("the peer in Go: ", err)
	}
}
