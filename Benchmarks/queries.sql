count_all|SELECT count() FROM logs
errors_last_hour|SELECT service, count() FROM logs WHERE level = 'ERROR' AND timestamp >= toDateTime64('2025-10-16 07:53:20', 3) GROUP BY service ORDER BY service
hist_minute_day|SELECT toStartOfMinute(timestamp) AS t, level, count() FROM logs WHERE timestamp >= toDateTime64('2025-10-15 08:53:20', 3) GROUP BY t, level ORDER BY t, level
hist_hour_all|SELECT toStartOfHour(timestamp) AS t, count() FROM logs GROUP BY t ORDER BY t
top_paths|SELECT path, count() AS c FROM logs GROUP BY path ORDER BY c DESC, path LIMIT 10
status_by_service|SELECT service, status, count(), avg(response_time_ms) FROM logs GROUP BY service, status ORDER BY service, status
latency_quantiles|SELECT service, quantile(0.5)(response_time_ms), quantile(0.95)(response_time_ms), quantile(0.99)(response_time_ms) FROM logs GROUP BY service ORDER BY service
uniq_users_day|SELECT toDate(timestamp) AS d, uniq(user_id) FROM logs GROUP BY d ORDER BY d
like_timeout|SELECT count() FROM logs WHERE message LIKE '%timeout%'
regex_order|SELECT count() FROM logs WHERE match(message, 'order=9[0-9]{3,5} attempt=[23]')
point_trace|SELECT timestamp, service, message FROM logs WHERE trace_id = '{trace_id}'
avg_user|SELECT avg(response_time_ms), count() FROM logs WHERE user_id = '123'
tail_errors|SELECT timestamp, service, message FROM logs WHERE level = 'ERROR' ORDER BY timestamp DESC LIMIT 100
top_users|SELECT user_id, count() AS c, sum(response_time_ms) FROM logs GROUP BY user_id ORDER BY c DESC, user_id LIMIT 10
sum_filter|SELECT sum(response_time_ms), max(response_time_ms) FROM logs WHERE status >= 500
distinct_trace|SELECT uniqExact(trace_id) FROM logs WHERE service = 'payment-service'
