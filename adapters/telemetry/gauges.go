package telemetry

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// backlogWithin is how long the store may take to say what waits. Whoever
// collects metrics does not wait for a store that is away.
const backlogWithin = 2 * time.Second

// Backlog tells what waits to be done, as the store says each time that metrics
// are collected. It is of all processes together, so that one of them may tell.
func Backlog(store ports.UnitOfWork, log *slog.Logger) error {
	meter := otel.Meter(name)
	depth, err := meter.Int64ObservableGauge("ab2d.queue.depth", metric.WithUnit("{partition}"), metric.WithDescription("Partitions that are not done, by whether a worker is at them."))
	if err != nil {
		return err
	}
	jobs, err := meter.Int64ObservableGauge("ab2d.jobs.active", metric.WithUnit("{job}"), metric.WithDescription("Exports that are submitted or in progress."))
	if err != nil {
		return err
	}
	wait, err := meter.Float64ObservableGauge("ab2d.queue.wait", metric.WithUnit("s"), metric.WithDescription("How long the first of what waits, partition or unplanned export, has waited."))
	if err != nil {
		return err
	}
	waiting, held := state("waiting"), state("held")
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		b, err := backlog(ctx, store)
		if err != nil {
			log.WarnContext(ctx, "what waits could not be counted", "code", domain.CodeOf(err))
			return nil // the other metrics are told all the same
		}
		o.ObserveInt64(depth, int64(b.Waiting), waiting)
		o.ObserveInt64(depth, int64(b.Held), held)
		o.ObserveInt64(jobs, int64(b.Jobs))
		o.ObserveFloat64(wait, b.Oldest.Seconds())
		return nil
	}, depth, jobs, wait)
	return err
}

func state(s string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("ab2d.state", s))
}

func backlog(ctx context.Context, store ports.UnitOfWork) (b domain.Backlog, err error) {
	ctx, cancel := context.WithTimeout(ctx, backlogWithin)
	defer cancel()
	err = store.View(ctx, func(ctx context.Context, tx ports.Tx) error {
		b, err = tx.Partitions.Backlog(ctx)
		return err
	})
	return b, err
}

// Pool tells how the connections to a database are used.
func Pool(db *sql.DB) error {
	meter := otel.Meter(name)
	count, err := meter.Int64ObservableUpDownCounter("db.client.connection.count", metric.WithUnit("{connection}"), metric.WithDescription("Connections that are open, by state."))
	if err != nil {
		return err
	}
	most, err := meter.Int64ObservableUpDownCounter("db.client.connection.max", metric.WithUnit("{connection}"), metric.WithDescription("Connections that may be open; 0 for no bound."))
	if err != nil {
		return err
	}
	waits, err := meter.Int64ObservableCounter("ab2d.db.waits", metric.WithUnit("{wait}"), metric.WithDescription("Times that somebody had to wait for a connection."))
	if err != nil {
		return err
	}
	waited, err := meter.Float64ObservableCounter("ab2d.db.waited", metric.WithUnit("s"), metric.WithDescription("Time spent waiting for connections."))
	if err != nil {
		return err
	}
	pool := semconv.DBClientConnectionPoolName("write")
	all := metric.WithAttributes(pool)
	used, idle := metric.WithAttributes(pool, semconv.DBClientConnectionStateUsed), metric.WithAttributes(pool, semconv.DBClientConnectionStateIdle)
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := db.Stats()
		o.ObserveInt64(count, int64(s.InUse), used)
		o.ObserveInt64(count, int64(s.Idle), idle)
		o.ObserveInt64(most, int64(s.MaxOpenConnections), all)
		o.ObserveInt64(waits, s.WaitCount, all)
		o.ObserveFloat64(waited, s.WaitDuration.Seconds(), all)
		return nil
	}, count, most, waits, waited)
	return err
}
