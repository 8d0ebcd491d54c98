// DuckDB on so many threads: node duckdb.mjs EVENTS.csv QUERY.sql POLICIES.json THREADS; prints one JSON line.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [events, query, policies, threads] = process.argv.slice(2);
const require = createRequire(pathToFileURL(process.cwd() + '/'));
const { DuckDBInstance } = await import(pathToFileURL(require.resolve('@duckdb/node-api')));
const connection = await (await DuckDBInstance.create(':memory:', { threads })).connect();
const seconds = async (work) => {
    const [before, processor] = [process.hrtime.bigint(), process.cpuUsage()];
    const result = await work();
    const used = process.cpuUsage(processor);
    return [Number(process.hrtime.bigint() - before) / 1e9, (used.user + used.system) / 1e6, result];
};
const [load] = await seconds(async () => {
    await connection.run('create table policy (code int, cap_group int, severity int)');
    for (const [code, group, severity] of JSON.parse(policies))
        await connection.run(`insert into policy values (${code}, ${group}, ${severity})`);
    await connection.run(`create table event (account int, type tinyint, moment bigint, day int, rev int, n int, id varchar,
        policy tinyint, severity tinyint, points int, state tinyint)`);
    await connection.run(`insert into event select * from read_csv('${events}', header = true, all_varchar = true)`);
});
const [wall, processor, rows] = await seconds(async () =>
    (await connection.runAndReadAll(readFileSync(query, 'utf8'))).getRows());
process.stdout.write(JSON.stringify({ load, wall, processor, memory: process.resourceUsage().maxRSS * 1024, rows },
    (_, value) => (typeof value === 'bigint' ? Number(value) : value)) + '\n');
