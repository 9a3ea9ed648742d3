package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// UpstreamState is how calls to the source of claims stand in a process.
type UpstreamState struct {
	Limit, InUse, Waiting int
	Away                  bool
}

// Upstream tells how many calls to the source there may be at once, are, and
// wait, and whether it is away, each time that metrics are collected.
func Upstream(now func() UpstreamState) error {
	meter := otel.Meter(name)
	calls, err := meter.Int64ObservableGauge("ab2d.source.calls", metric.WithUnit("{call}"),
		metric.WithDescription("Calls to the claims source: how many there may be at once (limit), are at work, and wait for their turn."))
	if err != nil {
		return err
	}
	away, err := meter.Int64ObservableGauge("ab2d.source.away", metric.WithDescription("1 while the claims source is away and exports wait for it."))
	if err != nil {
		return err
	}
	limit, work, waiting := state("limit"), state("work"), state("waiting")
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := now()
		o.ObserveInt64(calls, int64(s.Limit), limit)
		o.ObserveInt64(calls, int64(s.InUse), work)
		o.ObserveInt64(calls, int64(s.Waiting), waiting)
		gone := int64(0)
		if s.Away {
			gone = 1
		}
		o.ObserveInt64(away, gone)
		return nil
	}, calls, away)
	return err
}
