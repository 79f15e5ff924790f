# The gateway, built in one stage and run in another that has no compiler and no package manager's cache.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# better-sqlite3 brings a compiled library for common platforms; elsewhere it is compiled, which needs these
RUN command -v g++ >/dev/null || (apt-get update && apt-get install -y --no-install-recommends python3 make g++)
COPY package.json package-lock.json ./
# compiled against the headers that come with this Node: elsewhere they would be fetched from nodejs.org
RUN if [ -e /usr/local/include/node/node.h ]; then export npm_config_nodedir=/usr/local; fi; npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
# what compiling has left is not run; and a package.json from a checkout with umask 077 could be read by root alone
RUN npm run --silent build && npm prune --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/better-sqlite3/deps node_modules/better-sqlite3/build/Release/obj* node_modules/better-sqlite3/build/Release/sqlite3.a \
 && chmod 644 package.json

FROM ${NODE_IMAGE}
ENV NODE_ENV=production PRATIQUE_DATA=/data PRATIQUE_LISTEN_HOST=0.0.0.0
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# numeric, so that an orchestrator can see that it is not root
RUN mkdir /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8080
# for port 8080 without listen.tls; whoever serves otherwise gives the service another healthcheck
HEALTHCHECK --interval=30s --timeout=5s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/availability').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
